import { rm } from 'node:fs/promises';
import { sleep } from '../../src/core/deadline.js';
import type { MLOpsPlugin } from '../../src/mlops/mlops.plugin.js';
import type { Metric, RunBatch } from '../../src/mlops/mlops.types.js';
import { forgive, replace, type Mutant } from './mutant.js';

/** Mutants of what is logged to runs: metrics, params, and their durability. */
export const loggingMutants: Mutant<MLOpsPlugin>[] = [
  {
    name: 'loses the last metric of a batch',
    caughtBy: /^metrics > logMetrics takes a record/,
    mutate: (plugin) =>
      changeBatches(plugin, ({ metrics = [], ...rest }) => ({ ...rest, metrics: metrics.slice(0, -1) })),
  },
  {
    name: 'holds the last metric back until the next one and loses it at the end',
    caughtBy: /^metrics > logMetric stores a point/,
    mutate(plugin) {
      let held: (() => Promise<void>) | undefined;
      replace(plugin, 'logBatch', (original) => async (runId, batch) => {
        const previous = held;
        held = () => original(runId, batch);
        await previous?.();
      });
    },
  },
  {
    name: 'forgets the options of logMetrics for a list',
    caughtBy: /^metrics > logMetrics with a list takes its options/,
    mutate: (plugin) =>
      replace(
        plugin,
        'logMetrics',
        (original) => (id, metrics, options) =>
          Array.isArray(metrics) ? original(id, metrics) : original(id, metrics, options),
      ),
  },
  {
    name: 'stores each metric twice',
    caughtBy: /^metrics > a history comes by step, then timestamp, and equal points are stored once$/,
    mutate: (plugin) =>
      changeBatches(plugin, ({ metrics = [], ...rest }) => ({
        ...rest,
        metrics: metrics.flatMap((point) => [point, { ...point, timestamp: (point.timestamp ?? Date.now()) + 1 }]),
      })),
  },
  {
    name: 'returns a history in no order',
    caughtBy: /^metrics > a history comes by step, then timestamp/,
    mutate: (plugin) =>
      changeHistory(plugin, (points) => points.toSorted((a, b) => ((a.step * 7) % 5) - ((b.step * 7) % 5)).reverse()),
  },
  {
    name: 'truncates long histories at 10 000 points',
    caughtBy: /^metrics > a history longer than any page is complete$/,
    mutate: (plugin) => changeHistory(plugin, (points) => points.slice(0, 10_000)),
  },
  {
    name: 'shows the last written value of a metric as the latest',
    caughtBy: /^metrics > the latest value is the one of the greatest step/,
    mutate(plugin) {
      const last = new Map<string, number>();
      replace(plugin, 'logBatch', (original) => async (runId, batch) => {
        for (const { key, value } of batch.metrics ?? []) last.set(`${runId} ${key}`, value);
        await original(runId, batch);
      });
      replace(plugin, 'getRun', (original) => async (runId) => {
        const run = await original(runId);
        for (const metric of Object.values(run.metrics)) {
          metric.value = last.get(`${runId} ${metric.key}`) ?? metric.value;
        }
        return run;
      });
    },
  },
  {
    name: 'turns NaN into 0',
    caughtBy: /^metrics > NaN stays NaN/,
    mutate: (plugin) =>
      changeHistory(plugin, (points) => points.map((point) => ({ ...point, value: point.value || 0 }))),
  },
  {
    name: 'keeps single precision only',
    caughtBy: /^metrics > doubles come back exactly$/,
    mutate: (plugin) =>
      changeHistory(plugin, (points) => points.map((point) => ({ ...point, value: Math.fround(point.value) }))),
  },
  {
    name: 'stores the good part of a bad batch',
    caughtBy: /^metrics > a bad item is INVALID_ARGUMENT, and nothing of its batch is stored$/,
    mutate: (plugin) =>
      replace(plugin, 'logBatch', (original) => async (runId, { metrics = [], params = {}, tags = {} }) => {
        for (const metric of metrics) await original(runId, { metrics: [metric] });
        await original(runId, { params, tags });
      }),
  },
  {
    name: 'does not show reads what was written before and not awaited',
    caughtBy: /^metrics > many points of calls that nobody awaited/,
    mutate: delayWrites,
  },
  {
    name: 'flushes nothing',
    caughtBy: /^metrics > flush resolves when everything logged before is stored$/,
    mutate(plugin) {
      delayWrites(plugin);
      replace(plugin, 'flush', () => async () => undefined);
    },
  },
  {
    name: 'swaps run ids: logs to the run that started before',
    caughtBy: /^runs > runs do not see each other/,
    mutate(plugin) {
      const before = new Map<string, string>();
      let latest: string | undefined;
      replace(plugin, 'startRun', (original) => async (experimentId, options) => {
        const run = await original(experimentId, options);
        before.set(run.runId, latest ?? run.runId);
        latest = run.runId;
        return run;
      });
      replace(plugin, 'logBatch', (original) => (runId, batch) => original(before.get(runId) ?? runId, batch));
    },
  },
  {
    name: 'lets a param be written again',
    caughtBy: /^params and tags > a param is written once/,
    mutate: (plugin) =>
      replace(plugin, 'logBatch', (original) => async (runId, batch) => {
        await original(runId, batch).catch(forgive('CONFLICT'));
      }),
  },
  {
    name: 'tells several racing writers of a param that they won',
    caughtBy: /^params and tags > of 8 racing writers of a param exactly one wins/,
    mutate(plugin) {
      let running = 0;
      replace(plugin, 'logBatch', (original) => async (runId, batch) => {
        running += 1;
        const raced = running > 1;
        try {
          await original(runId, batch);
        } catch (error) {
          if (!raced) throw error;
          forgive('CONFLICT')(error);
        } finally {
          running -= 1;
        }
      });
    },
  },
  {
    name: 'cuts values that are too long',
    caughtBy: /^params and tags > too long values and bad keys are INVALID_ARGUMENT, not cut$/,
    mutate: (plugin) =>
      changeBatches(plugin, ({ params = {}, ...rest }) => ({
        ...rest,
        params: Object.fromEntries(
          Object.entries(params).map(([key, value]) => [
            key,
            typeof value === 'string' ? value.slice(0, 6_000) : value,
          ]),
        ),
      })),
  },
  {
    name: 'forgets on restart',
    caughtBy: /^restart and capabilities > what was acknowledged survives a restart/,
    onDisk: true,
    mutate: (plugin, { dataDir }) =>
      replace(plugin, 'initialize', (original) => async () => {
        if (plugin.phase === 'new') await rm(dataDir, { recursive: true, force: true });
        await original();
      }),
  },
  {
    name: 'loses at shutdown what was not awaited',
    caughtBy: /^restart and capabilities > drain and shutdown store writes that were not awaited$/,
    onDisk: true,
    mutate: delayWrites,
  },
];

function changeBatches(plugin: MLOpsPlugin, change: (batch: RunBatch) => RunBatch): void {
  replace(plugin, 'logBatch', (original) => (runId, batch) => original(runId, change(batch)));
}

function changeHistory(plugin: MLOpsPlugin, change: (points: Metric[]) => Metric[]): void {
  replace(
    plugin,
    'getMetricHistory',
    (original) =>
      async function* (...args) {
        const points: Metric[] = [];
        for await (const point of original(...args)) points.push(point);
        yield* change(points);
      },
  );
}

function delayWrites(plugin: MLOpsPlugin): void {
  replace(plugin, 'logBatch', (original) => async (...args) => {
    await sleep(30);
    await original(...args).catch(forgive('CLOSED'));
  });
}
