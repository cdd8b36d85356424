import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../src/core/contract.js';
import { MLflowClient } from '../../src/mlops/drivers/mlflow/client/mlflow.client.js';
import { bufferOf } from '../../src/mlops/mlops.artifacts.js';
import type { MLOpsPlugin } from '../../src/mlops/mlops.plugin.js';
import { MLflowServer } from '../support/mlflow-server.js';
import { mlflowPlugin } from '../support/open-mlflow.js';
import { dumpStore } from './dump-store.js';
import { fileHashes } from './file-hashes.js';
import { fillStore } from './fill-store.js';
import { askPython, python, runPython, skipReason, type PythonDump } from './mlflow-python.js';

const TIMEOUT = 180_000;
/** What the server stores in place of Infinity. */
const MOST = 1.7976931348623157e308;
/** Bytes of the artifacts by name. */
const ARTIFACTS = {
  'empty.bin': 0,
  'one.bin': 1,
  'Grüße 漢字 & 100% + more.bin': 70_001,
  'deep/er/a.bin': 5_000_003,
  'deep/large.bin': 200_000_000,
};

type Point = [value: number | 'NaN' | 'Infinity' | '-Infinity', timestamp: number, step: number];

/** 10 000 points over the whole range of doubles, with NaN and the infinities among them. */
const POINTS = Array.from({ length: 10_000 }, (_, index): Point => {
  const value = Math.sin(index + 1) * 10 ** ((index % 600) - 300);
  return [
    index % 500 < 3 ? ((['NaN', 'Infinity', '-Infinity'] as const)[index % 500] ?? value) : value,
    1_700_000_000_000 + index * 7,
    index - 100,
  ];
});
/** How they are read back. */
const STORED = POINTS.map(([value, ...rest]) => [
  value === 'Infinity' ? MOST : value === '-Infinity' ? -MOST : value,
  ...rest,
]);

/** What both read must be equal, but for the tag by which the driver finds what it created; it hides that itself. */
function withoutClientTokens(dump: PythonDump): Pick<PythonDump, 'experiments' | 'runs' | 'models'> {
  const text = JSON.stringify([dump.experiments, dump.runs, dump.models], (key, value: unknown) =>
    key === 'hub.clientToken' ? undefined : value,
  );
  const [experiments, runs, models] = JSON.parse(text) as [unknown[], PythonDump['runs'], PythonDump['models']];
  return { experiments, runs, models };
}

// The tests are steps of one story: each goes on with the server of the one before.
describe.skipIf(python === undefined)(`the MLflow driver and Python's MlflowClient on one server${skipReason}`, () => {
  let folder: string;
  let server: MLflowServer;
  let plugin: MLOpsPlugin;
  let runId: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mlflow-cross-'));
    server = await MLflowServer.start(python ?? '', folder);
    plugin = mlflowPlugin({ mlflowUri: server.url, spool: { dir: join(folder, 'spool') } });
    await plugin.initialize();
  }, TIMEOUT);
  afterAll(async () => {
    await plugin?.shutdown();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const pointsInNode = async (key: string) =>
    (await collect(plugin.getMetricHistory(runId, key))).map(({ value, timestamp, step }) => [
      Number.isNaN(value) ? 'NaN' : value,
      timestamp,
      step,
    ]);
  const everythingInPython = async () =>
    withoutClientTokens(await askPython<PythonDump>('DUMP', 'read_store.py', server.url, join(folder, 'downloads')));

  it('Python reads every item that Node wrote', { timeout: TIMEOUT }, async () => {
    runId = await fillStore(plugin, 'first');
    const found = await everythingInPython();
    expect(found).toEqual(await dumpStore(plugin, false));
    expect(found.runs.flatMap((run) => Object.values(run.histories).flat()).length).toBeGreaterThan(1_000);
    expect(found.models.map(({ name }) => name)).toEqual(['first model', 'first other']);
    const copy = join(folder, 'registered model');
    await runPython('download_model.py', server.url, 'models:/first model@champion', copy);
    expect(await fileHashes(copy)).toEqual(
      await fileHashes(await plugin.downloadArtifacts(runId, 'model', join(folder, 'of the run'))),
    );
  });

  it('Node reads every item that Python wrote', { timeout: TIMEOUT }, async () => {
    await runPython('write_store.py', server.url, runId, 'mlflow-artifacts:/of-python');
    const run = await plugin.getRun(runId);
    expect([run.params['from-python'], run.tags['from-python']]).toEqual(['p', 't']);
    expect(await pointsInNode('from-python')).toEqual([
      ['NaN', 5, 1],
      [2.5, 6, 2],
    ]);
    expect((await plugin.readArtifactBytes(runId, 'python/note.txt')).toString()).toBe('written by Python');
    expect((await plugin.getModelVersionByAlias('python-model', 'champion'))?.source).toBe('s3://bucket/model');
    const experimentIds = [await plugin.ensureExperiment('python-experiment')];
    const [pythonRun] = await collect(plugin.searchRuns({ experimentIds }));
    expect(pythonRun?.runName).toBe('python-run');
    expect(await plugin.listArtifacts(pythonRun?.runId ?? '', 'a')).toHaveLength(1);
    expect(await everythingInPython()).toEqual(await dumpStore(plugin, false));
  });

  it('a history of 10 000 points that Node logged is the same for both', { timeout: TIMEOUT }, async () => {
    const key = 'Verlust/größe 漢字';
    for (const [value, timestamp, step] of POINTS)
      void plugin.logMetric(runId, key, Number(value), { timestamp, step });
    await plugin.flush();
    expect(await askPython('HISTORY', 'metric_history.py', server.url, runId, key)).toEqual(STORED);
    expect(await pointsInNode(key)).toEqual(STORED);
  });

  it('a history of 10 000 points that Python logged is the same for both', { timeout: TIMEOUT }, async () => {
    const file = join(folder, 'points.json');
    await writeFile(file, JSON.stringify(POINTS));
    expect(await askPython('HISTORY', 'metric_history.py', server.url, runId, 'of-python', file)).toEqual(STORED);
    expect(await pointsInNode('of-python')).toEqual(STORED);
  });

  describe('artifacts of 0 B to 200 MB', () => {
    let source: string;
    let hashes: Record<string, string>;

    beforeAll(async () => {
      source = join(folder, 'source');
      for (const [name, size] of Object.entries(ARTIFACTS)) {
        await mkdir(join(source, name, '..'), { recursive: true });
        await writeFile(join(source, name), randomBytes(size));
      }
      hashes = await fileHashes(source);
    }, TIMEOUT);

    it('that Node uploaded are the same bytes for Python', { timeout: TIMEOUT }, async () => {
      await plugin.logArtifacts(runId, source, 'from-node');
      const copy = await copyWithPython('download', join(folder, 'python copy'), 'from-node');
      expect(await fileHashes(join(folder, 'python copy', 'from-node'))).toEqual(hashes);
      expect(copy).toEqual(await sizesInNode('from-node'));
    });

    it('that Python uploaded are the same bytes for Node', { timeout: TIMEOUT }, async () => {
      const copy = await copyWithPython('upload', source, 'from-python');
      const path = await plugin.downloadArtifacts(runId, 'from-python', join(folder, 'node copy'));
      expect(await fileHashes(path)).toEqual(hashes);
      expect(copy).toEqual(await sizesInNode('from-python'));
      expect((await stat(join(path, 'deep', 'large.bin'))).size).toBe(200_000_000);
    });

    const copyWithPython = async (direction: 'upload' | 'download', local: string, path: string) => {
      await mkdir(local, { recursive: true });
      return askPython('SIZES', 'copy_artifacts.py', server.url, runId, direction, local, path);
    };
    const sizesInNode = async (path: string): Promise<Record<string, number | null>> => {
      const sizes: Record<string, number | null> = {};
      for (const entry of await plugin.listArtifacts(runId, path)) {
        if (entry.isDirectory) Object.assign(sizes, await sizesInNode(entry.path));
        else sizes[entry.path] = entry.fileSize;
      }
      return sizes;
    };
  });

  describe('a model that scikit-learn logged from Python', () => {
    let client: MLflowClient;
    let model: { experimentId: string; runId: string; modelId: string };

    beforeAll(async () => {
      client = MLflowClient.connect({ mlflowUri: server.url });
      model = await askPython('MODEL', 'log_sklearn_model.py', server.url, folder);
    }, TIMEOUT);
    afterAll(() => client?.close());

    it('as a logged model is listed and downloaded, file by file', async () => {
      const { artifactUri, runId: madeBy, modelId } = await client.resolveModelUri('models:/iris/1');
      expect({ madeBy, modelId }).toEqual({ madeBy: model.runId, modelId: model.modelId });
      for (const uri of [`models:/${modelId}`, `runs:/${model.runId}/model`]) {
        expect(await client.resolveModelUri(uri)).toMatchObject({ artifactUri, modelId });
      }
      const [found] = await collect(client.loggedModels.search({ experimentIds: [model.experimentId] }));
      expect(found).toMatchObject({ modelId, artifactUri, name: 'model', status: 'READY', sourceRunId: model.runId });

      const kept = join(folder, 'served', model.experimentId, 'models', model.modelId, 'artifacts');
      const files = await fileHashes(kept);
      expect(Object.keys(files)).toEqual(expect.arrayContaining(['MLmodel', 'model.pkl', 'input_example.json']));
      const listed = await collect(client.artifacts.listAll({ modelId: model.modelId }));
      expect(listed.map((entry) => entry.path).sort()).toEqual(Object.keys(files).sort());
      expect((await client.artifacts.list({ modelId: model.modelId })).map((entry) => entry.path).sort()).toEqual(
        Object.keys(files).sort(),
      );
      for (const { path, fileSize } of listed) {
        const content = await bufferOf(await client.artifacts.read({ modelId: model.modelId }, path));
        expect(content.equals(await readFile(join(kept, path))), path).toBe(true);
        expect(content).toHaveLength(fileSize ?? -1);
      }
      const copy = join(folder, 'logged model');
      await client.artifacts.download({ artifactUri }, '', copy);
      expect(await fileHashes(copy)).toEqual(files);
    });

    it("among a run's artifacts is listed and downloaded, file by file", async () => {
      const kept = join(folder, 'served', model.experimentId, model.runId, 'artifacts', 'model2');
      const files = await fileHashes(kept);
      expect(Object.keys(files)).toEqual(expect.arrayContaining(['MLmodel', 'model.pkl']));
      const listed = await plugin.listArtifacts(model.runId, 'model2');
      expect(listed.map((entry) => entry.path).sort()).toEqual(
        Object.keys(files)
          .map((path) => `model2/${path}`)
          .sort(),
      );
      for (const { path } of listed) {
        const content = await plugin.readArtifactBytes(model.runId, path);
        expect(content.equals(await readFile(join(kept, '..', path))), path).toBe(true);
      }
      const copy = await plugin.downloadArtifacts(model.runId, 'model2', join(folder, 'run model'));
      expect(await fileHashes(copy)).toEqual(files);
      const { artifactUri } = await client.resolveModelUri(`runs:/${model.runId}/model2`);
      expect(artifactUri).toBe(`${(await plugin.getRun(model.runId)).artifactUri}/model2`);
    });
  });
});
