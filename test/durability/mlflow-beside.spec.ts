import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LocalMLOpsPlugin } from '../../src/mlops/drivers/local/local.plugin.js';
import { SCHEMA_REVISION } from '../../src/mlops/drivers/local/local.schema.js';
import { checkCrashImage } from './crash-image.js';
import type { LedgerLine } from './ledger.js';
import { MLflowServer } from '../support/mlflow-server.js';
import { MLOpsLedger, MODEL } from './mlops-ledger.js';
import { MLOpsWriters } from './mlops-writers.js';
import { randomFrom, testSeed } from './seeded-random.js';

const PYTHON = process.env['HUB_TEST_PYTHON'];
const SEED = testSeed();
/** How long the hub writes and MLflow reads side by side once MLflow answers, in ms. */
const TOGETHER = 6_000;

interface MLflowRun {
  info: { run_id: string };
  data: { metrics?: { key: string; value: number }[]; tags?: { key: string; value: string }[] };
}

describe.skipIf(PYTHON === undefined)('a stock MLflow server beside the hub that writes', () => {
  let folder: string;
  let mlops: LocalMLOpsPlugin;
  let server: MLflowServer | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-mlflow-'));
    mlops = new LocalMLOpsPlugin({ dataDir: folder });
    await mlops.initialize();
  });
  afterEach(async () => {
    await server?.stop();
    await mlops.shutdown();
    await rm(folder, { recursive: true, force: true });
  });

  /** The revision of MLflow's schema that the file has. */
  function revision(): string {
    const db = new Database(join(folder, 'mlflow.db'));
    try {
      return String((db.prepare('SELECT version_num FROM alembic_version').raw().get() as unknown[])[0]);
    } finally {
      db.close();
    }
  }

  it(
    'upgrades the file in place, lists what is written, and nothing acknowledged is lost',
    { timeout: 300_000 },
    async () => {
      const lines: LedgerLine[] = [];
      const stop = new AbortController();
      const options = { round: 'beside', random: randomFrom(SEED), signal: stop.signal };
      /** Longest pause between two acknowledged writes, in ms: while MLflow upgrades, they wait for its lock. */
      let longestPause = 0;
      let latest = performance.now();
      const report = (...line: LedgerLine): void => {
        longestPause = Math.max(longestPause, performance.now() - latest);
        latest = performance.now();
        lines.push(line);
      };
      const writing = MLOpsWriters.run(mlops, { ...options, report });
      // It is awaited at the end; an error before that must not count as unhandled.
      writing.catch(() => undefined);

      expect(revision()).toBe(SCHEMA_REVISION);
      await expect.poll(() => lines.length, { timeout: 20_000 }).toBeGreaterThan(200);
      const before = lines.length;
      server = await MLflowServer.start(PYTHON ?? '', folder);
      const during = lines.length - before;
      expect(during).toBeGreaterThan(0);
      expect(revision()).not.toBe(SCHEMA_REVISION);

      const end = Date.now() + TOGETHER;
      let looks = 0;
      do {
        await look(server, lines);
        looks += 1;
        await setTimeout(50);
      } while (Date.now() < end || looks < 3);
      const together = lines.length - before - during;
      expect(together).toBeGreaterThan(100);

      // And the other way round: MLflow writes, the hub reads.
      const runId = newest(lines, 'run');
      await server.call('POST', 'runs/set-tag', { run_id: runId, key: 'seen', value: 'by MLflow' });
      expect((await mlops.getRun(runId)).tags['seen']).toBe('by MLflow');

      const version = await server.version();
      stop.abort();
      await writing;
      const ledger = new MLOpsLedger();
      ledger.add(lines);
      expect(await ledger.faults(mlops)).toEqual([]);
      expect(server.log).not.toMatch(/traceback|locked|\berror\b|exception|" 5\d\d /i);
      await server.stop();
      server = undefined;
      expect(await checkCrashImage(folder, 'mlflow.db')).toEqual({ integrity: ['ok'], foreignKeys: [] });
      console.log(
        `mlflow server ${version} beside the hub (seed ${SEED}): ${ledger.acknowledged} writes acknowledged, 0 lost, ${during} of ` +
          `them while the server started and upgraded the file, ${together} during ${looks} rounds of the pages' requests; ` +
          `longest pause between two ${longestPause.toFixed(0)} ms`,
      );
    },
  );
});

/** What MLflow's pages ask for: each answer has to show what was acknowledged before the question. */
async function look(server: MLflowServer, lines: readonly LedgerLine[]): Promise<void> {
  const runId = newest(lines, 'run');
  const metric = lines.findLast(([event]) => event === 'metric') ?? ['metric'];
  const version = newest(lines, 'version');
  const artifact = lines.findLast(([event]) => event === 'artifact') ?? ['artifact'];

  const { experiments } = await server.call<{ experiments: { experiment_id: string; name: string }[] }>(
    'POST',
    'experiments/search',
    { max_results: 100 },
  );
  const experiment = experiments.find(({ name }) => name === 'written');
  expect(experiment).toBeDefined();

  const { runs } = await server.call<{ runs: MLflowRun[] }>('POST', 'runs/search', {
    experiment_ids: [experiment?.experiment_id],
    order_by: ['attributes.start_time DESC'],
    max_results: 200,
  });
  expect(runs.map(({ info }) => info.run_id)).toContain(runId);
  expect(runs.map(({ info }) => info.run_id)).toContain(metric[1]);

  const { metrics } = await server.call<{ metrics: { step: number; value: number; timestamp: number }[] }>(
    'GET',
    'metrics/get-history',
    { run_id: metric[1], metric_key: 'loss' },
  );
  // JSON of protobuf has 64-bit numbers as text or numbers, by version.
  const points = metrics.map(({ step, value, timestamp }) => [Number(step), Number(value), Number(timestamp)]);
  expect(points).toContainEqual(metric.slice(2));

  const { registered_models: models } = await server.call<{
    registered_models: { name: string; latest_versions: { version: string }[] }[];
  }>('GET', 'registered-models/search', { max_results: 10 });
  const model = models.find(({ name }) => name === MODEL);
  expect(Number(model?.latest_versions[0]?.version)).toBeGreaterThanOrEqual(Number(version));

  const { files } = await server.call<{ files: { path: string }[] }>('GET', 'artifacts/list', {
    run_id: artifact[1],
    path: 'texts',
  });
  expect(files.map(({ path }) => path)).toContain(`texts/${artifact[2]}.txt`);
}

/** The subject of the latest event of that kind. */
function newest(lines: readonly LedgerLine[], event: string): string {
  return String(lines.findLast(([name]) => name === event)?.[1]);
}
