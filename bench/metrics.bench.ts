import { join } from 'node:path';
import { MLOpsModule, MLOpsPlugin } from 'nestjs-experiment-hub';
import { elapsed, paired, rate, type Bench } from './bench.js';
import { open } from './open.js';
import { RUN, rawMetrics } from './raw-metrics.js';

const POINTS = 50_000;
const AWAITED = 5_000;
const HISTORY = 1_000_000;

/** Logging and reading metrics through the local driver, against SQLite by hand. */
export const metrics: Bench = {
  name: 'metrics',
  async run(folder) {
    const app = await open(MLOpsModule.forRoot({ config: { dataDir: folder } }));
    const mlops = app.get(MLOpsPlugin);
    const { runId } = await mlops.startRun(await mlops.createExperiment('bench'));
    const raw = rawMetrics(join(folder, 'raw.db'));
    let key = 0;

    const unawaited = await paired(
      async () => {
        const name = `a${(key += 1)}`;
        const ms = await elapsed(async () => {
          const calls: Promise<void>[] = [];
          for (let step = 0; step < POINTS; step += 1) {
            calls.push(mlops.logMetric(runId, name, step / 7, { step, timestamp: 1_700_000_000_000 + step }));
          }
          await Promise.all(calls);
        });
        return (POINTS / ms) * 1_000;
      },
      async () => {
        const name = `a${(key += 1)}`;
        const ms = await elapsed(() => {
          for (let step = 0; step < POINTS; step += 1) {
            if (step % 1_000 === 0) raw.db.exec('BEGIN');
            raw.insert(name, step);
            if (step % 1_000 === 999) raw.db.exec('COMMIT');
          }
        });
        return (POINTS / ms) * 1_000;
      },
    );

    const awaited = await paired(
      async () => {
        const name = `b${(key += 1)}`;
        const ms = await elapsed(async () => {
          for (let step = 0; step < AWAITED; step += 1) {
            await mlops.logMetric(runId, name, step / 7, { step, timestamp: 1_700_000_000_000 + step });
          }
        });
        return (AWAITED / ms) * 1_000;
      },
      async () => {
        const name = `b${(key += 1)}`;
        const ms = await elapsed(() => {
          for (let step = 0; step < AWAITED; step += 1) raw.insert(name, step);
        });
        return (AWAITED / ms) * 1_000;
      },
    );

    const long = await mlops.startRun(await mlops.ensureExperiment('bench'));
    for (let start = 0; start < HISTORY; start += 100_000) {
      raw.db.exec('BEGIN');
      const points = Array.from({ length: 100_000 }, (_unused, index) => {
        const step = start + index;
        raw.insert('history', step);
        return { key: 'history', value: step / 7, step, timestamp: 1_700_000_000_000 + step };
      });
      raw.db.exec('COMMIT');
      await mlops.logMetrics(long.runId, points);
    }
    let peak = 0;
    const before = process.memoryUsage().rss;
    const history = await paired(
      async () => {
        let count = 0;
        const ms = await elapsed(async () => {
          for await (const point of mlops.getMetricHistory(long.runId, 'history')) {
            count += 1;
            if (count % 100_000 === 0) peak = Math.max(peak, process.memoryUsage().rss - before);
            if (point.step !== count - 1) throw new Error(`point ${count - 1} is missing`);
          }
        });
        return (count / ms) * 1_000;
      },
      async () => {
        let count = 0;
        const select = raw.db.prepare(
          `SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = '${RUN}' AND key = 'history' ORDER BY step, timestamp, value`,
        );
        const ms = await elapsed(() => {
          for (const _row of select.iterate()) count += 1;
        });
        return (count / ms) * 1_000;
      },
      3,
    );
    await app.close();
    return [
      rate('logMetric, not awaited', 'points/s', unawaited.ours, unawaited.baseline),
      rate('logMetric, awaited one by one', 'points/s', awaited.ours, awaited.baseline),
      rate('getMetricHistory of 1 000 000 points', 'points/s', history.ours, history.baseline),
      rate('getMetricHistory, memory above start', 'MiB', peak / 2 ** 20, null),
    ];
  },
};
