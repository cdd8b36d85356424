import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../src/core/contract.js';
import { LocalMLOpsPlugin } from '../../src/mlops/drivers/local/local.plugin.js';
import { dumpStore } from './dump-store.js';
import { fillStore } from './fill-store.js';
import { python, readWithMlflow, runPython, skipReason } from './mlflow-python.js';

const TIMEOUT = 120_000;

/** Logs to a run until `work` is done; resolves to how many points were acknowledged. */
async function logDuring(plugin: LocalMLOpsPlugin, runId: string, work: Promise<unknown>): Promise<number> {
  let done = false;
  void work.finally(() => (done = true)).catch(() => undefined);
  let step = 0;
  while (!done) {
    await plugin.logMetric(runId, 'live', step / 3, { step });
    step += 1;
    if (step % 100 === 0) await setTimeout(1);
  }
  return step;
}

// The tests are steps of one story: each goes on with the store of the one before.
describe.skipIf(python === undefined)(`real MLflow and the local store${skipReason}`, () => {
  let dataDir: string;
  let plugin: LocalMLOpsPlugin;
  let firstRun: string;
  const read = () => readWithMlflow(join(dataDir, 'mlflow.db'), join(dataDir, 'downloads'));

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'mlflow reads ü-'));
    plugin = new LocalMLOpsPlugin({ dataDir });
    await plugin.initialize();
  });
  afterAll(async () => {
    await plugin.shutdown();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('MLflow reads every item of a store that the hub wrote, and keeps open', { timeout: TIMEOUT }, async () => {
    firstRun = await fillStore(plugin, 'first');
    expect((await plugin.healthCheck()).details['schema']).toBe('acf3f17fdcc7');
    const expected = await dumpStore(plugin);
    const found = await read();
    expect(found).toMatchObject({ integrity: ['ok'], foreign_keys: [], journal: 'wal' });
    expect(found.revision).not.toBe('acf3f17fdcc7');
    const { experiments, runs, models } = found;
    expect({ experiments, runs, models }).toEqual(expected);
    expect(runs.flatMap((run) => Object.values(run.histories).flat()).length).toBeGreaterThan(1_000);
    expect(await dumpStore(plugin)).toEqual(expected);
  });

  it('nothing that is logged while MLflow upgrades the file is lost', { timeout: TIMEOUT }, async () => {
    const folder = join(dataDir, 'live');
    const live = new LocalMLOpsPlugin({ dataDir: folder });
    await live.initialize();
    const { runId } = await live.startRun('0');
    const upgrade = readWithMlflow(join(folder, 'mlflow.db'), join(folder, 'downloads'));
    const acknowledged = await logDuring(live, runId, upgrade);
    expect((await upgrade).revision).not.toBe('acf3f17fdcc7');
    await live.shutdown();
    const { runs, integrity } = await readWithMlflow(join(folder, 'mlflow.db'), join(folder, 'downloads'));
    expect(integrity).toEqual(['ok']);
    expect(runs[0]?.histories['live']?.map(([value]) => value)).toEqual(
      Array.from({ length: acknowledged }, (_, step) => step / 3),
    );
    expect(acknowledged).toBeGreaterThan(100);
  });

  it('the hub goes on writing to the upgraded file that it has open', { timeout: TIMEOUT }, async () => {
    await fillStore(plugin, 'second');
    await plugin.renameRegisteredModel('first model', 'first renamed');
    await plugin.deleteRegisteredModel('second other');
    const { integrity, foreign_keys: broken, revision, journal, ...found } = await read();
    expect({ integrity, broken, journal }).toEqual({ integrity: ['ok'], broken: [], journal: 'wal' });
    expect((await plugin.healthCheck()).details['schema']).toBe(revision);
    expect(found).toEqual(await dumpStore(plugin));
  });

  it('the hub reads what Python writes beside it', { timeout: TIMEOUT }, async () => {
    const folder = join(dataDir, 'artifacts', 'python');
    await runPython('write_store.py', `sqlite:///${join(dataDir, 'mlflow.db')}`, firstRun, folder);
    const run = await plugin.getRun(firstRun);
    expect([run.params['from-python'], run.tags['from-python']]).toEqual(['p', 't']);
    expect((await collect(plugin.getMetricHistory(firstRun, 'from-python'))).map((point) => point.value)).toEqual([
      NaN,
      2.5,
    ]);
    expect((await plugin.readArtifactBytes(firstRun, 'python/note.txt')).toString()).toBe('written by Python');
    expect((await plugin.getModelVersionByAlias('python-model', 'champion'))?.source).toBe('s3://bucket/model');
    const experimentIds = [await plugin.ensureExperiment('python-experiment')];
    const [pythonRun] = await collect(plugin.searchRuns({ experimentIds }));
    expect(pythonRun?.runName).toBe('python-run');
    expect(await plugin.listArtifacts(pythonRun?.runId ?? '', 'a')).toHaveLength(1);
  });

  it('a reopened plugin works on the upgraded file', { timeout: TIMEOUT }, async () => {
    await plugin.shutdown();
    plugin = new LocalMLOpsPlugin({ dataDir });
    await plugin.initialize();
    await fillStore(plugin, 'third');
    const { integrity, foreign_keys: broken, experiments, runs, models } = await read();
    expect({ integrity, broken }).toEqual({ integrity: ['ok'], broken: [] });
    expect({ experiments, runs, models }).toEqual(await dumpStore(plugin));
  });
});
