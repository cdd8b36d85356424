import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { collect, rejectsWith } from '../../src/core/contract.js';
import { MLflowClient } from '../../src/mlops/drivers/mlflow/client/index.js';
import { ClientRoom, fresh, newRun, START, UNKNOWN } from './client-room.js';
import type { LosingTransport } from './losing-transport.js';
import { python, skipReason } from './mlflow-python.js';

describe.skipIf(python === undefined)(`models of the MLflow client on a real server${skipReason}`, () => {
  let room: ClientRoom;
  let transport: LosingTransport;
  let client: MLflowClient;

  beforeAll(async () => {
    room = await ClientRoom.open(python ?? '');
  }, START);
  afterAll(() => room?.close());
  beforeEach(() => {
    transport = room.connect();
    client = new MLflowClient(transport, { createDeadline: 15_000 });
  });
  afterEach(() => client.close());

  describe('the registry', () => {
    it('searches of versions have the aliases that the server leaves out', async () => {
      const name = fresh('m');
      await client.models.create(name);
      for (const version of ['1', '2', '3']) await client.versions.create(name, { source: `s3://bucket/${version}` });
      for (const [alias, version] of [['a', '3'] as const, ['b', '1'] as const, ['c', '3'] as const]) {
        await client.models.setAlias(name, alias, version);
      }
      const found = await collect(client.versions.search({ filter: `name = '${name}'`, pageSize: 2 }));
      expect(found.map(({ version, aliases }) => [version, aliases.sort()])).toEqual([
        ['3', ['a', 'c']],
        ['2', []],
        ['1', ['b']],
      ]);
      expect((await client.versions.getLatest(name)).version).toBe('3');
      expect(await client.versions.waitUntilReady(name, '2')).toMatchObject({ status: 'READY', version: '2' });
      await rejectsWith(() => client.versions.getLatest(name, 'Production'), 'NOT_FOUND');
    });

    it('a version of a run needs the run, and gets its id from the source', async () => {
      const [name, { runId }] = [fresh('m'), await newRun(client)];
      await client.models.create(name);
      expect((await client.versions.create(name, { source: `runs:/${runId}/model` })).runId).toBe(runId);
      await rejectsWith(() => client.versions.create(name, { source: `runs:/${UNKNOWN}/model` }), 'NOT_FOUND');
      await rejectsWith(() => client.versions.create(name, { source: 's3://b/1', runId: UNKNOWN }), 'NOT_FOUND');
      await rejectsWith(() => client.versions.create(fresh('none'), { source: 's3://b/1' }), 'NOT_FOUND');
    });

    it('goes over a connection of its own when there is one', async () => {
      const registry = room.connect();
      const both = new MLflowClient(transport, { registry });
      const name = fresh('m');
      await both.models.create(name);
      await both.versions.create(name, { source: 's3://bucket/1' });
      expect((await both.resolveModelUri(`models:/${name}/1`)).artifactUri).toBe('s3://bucket/1');
      expect(transport.sent).toEqual([]);
      await both.close();
      await rejectsWith(() => registry.json({ method: 'GET', path: '/health' }), 'CLOSED');
    });
  });

  describe('logged models', () => {
    it('are created, filled, finalized, searched, listed, tagged, registered and deleted', async () => {
      const { experimentId, runId } = await newRun(client);
      const params = Object.fromEntries(Array.from({ length: 130 }, (_, i) => [`p${i}`, i]));
      const made = await client.loggedModels.create(experimentId, {
        name: 'forest',
        modelType: 'tree',
        sourceRunId: runId,
        params,
        tags: { t: 'x' },
      });
      expect(made).toMatchObject({
        name: 'forest',
        modelType: 'tree',
        sourceRunId: runId,
        status: 'PENDING',
        tags: { t: 'x' },
      });
      const { modelId } = made;
      await client.artifacts.upload({ modelId }, 'data/model.bin', 'weights');
      expect(await client.loggedModels.finalize(modelId)).toMatchObject({ modelId, status: 'READY' });
      await client.loggedModels.setTags(modelId, { 'a b': 1, 'c/d': 2 });
      await client.loggedModels.deleteTag(modelId, 't');
      await rejectsWith(() => client.loggedModels.deleteTag(modelId, 't'), 'NOT_FOUND');
      await rejectsWith(() => client.loggedModels.deleteTag(modelId, 'c/d'), 'UNSUPPORTED');
      const model = await client.loggedModels.get(modelId);
      expect(model.tags).toEqual({ 'a b': '1', 'c/d': '2' });
      expect(Object.keys(model.params)).toHaveLength(130);
      expect(model.creationTime).toBeGreaterThan(1_700_000_000_000);
      expect(await client.artifacts.list({ modelId })).toEqual([{ path: 'data', isDirectory: true, fileSize: null }]);
      expect(await client.artifacts.list({ modelId }, 'data')).toEqual([
        { path: 'data/model.bin', isDirectory: false, fileSize: 7 },
      ]);
      const other = await client.loggedModels.create(experimentId, { name: 'other' });
      const search = async (orderBy: string[], filter?: string) =>
        (
          await collect(
            client.loggedModels.search({
              experimentIds: [experimentId],
              orderBy,
              pageSize: 1,
              ...(filter === undefined ? {} : { filter }),
            }),
          )
        ).map(({ name }) => name);
      expect(await search(['creation_timestamp ASC'])).toEqual(['forest', 'other']);
      expect(await search(['name DESC'])).toEqual(['other', 'forest']);
      expect(await search([], "attributes.name = 'forest'")).toEqual(['forest']);
      const name = fresh('registered');
      await client.models.create(name);
      expect(await client.loggedModels.register(modelId, name, { description: 'd' })).toMatchObject({
        name,
        version: '1',
        description: 'd',
        source: `models:/${modelId}`,
        runId,
      });
      await client.loggedModels.delete(other.modelId);
      await rejectsWith(() => client.loggedModels.get(other.modelId), 'NOT_FOUND');
    });

    it('and all other URIs of models resolve to where the files are', async () => {
      const { experimentId, runId, artifactUri } = await newRun(client);
      const model = await client.loggedModels.create(experimentId, { name: 'logged', sourceRunId: runId });
      const name = fresh('my model');
      await client.models.create(name);
      await client.versions.create(name, { source: `runs:/${runId}/plain`, runId });
      await client.loggedModels.register(model.modelId, name);
      await client.versions.create(name, { source: `models:/${name}/1` });
      await client.models.setAlias(name, 'champion', '2');
      const plain = { artifactUri: `${artifactUri}/plain`, runId, modelId: null };
      const logged = { artifactUri: model.artifactUri, runId, modelId: model.modelId };
      const none = { name: null, version: null };
      // Before the run says that it made the model, its name is a path like any other.
      expect((await client.resolveModelUri(`runs:/${runId}/logged`)).artifactUri).toBe(`${artifactUri}/logged`);
      await client.runs.logOutputs(runId, [{ modelId: model.modelId, step: 3 }]);
      const expected: [uri: string, resolved: object][] = [
        [`runs:/${runId}/plain`, { ...plain, ...none }],
        [`runs:/${runId}`, { artifactUri, runId, modelId: null, ...none }],
        [`runs:/${runId}/logged`, { ...logged, ...none }],
        [`runs:/${runId}/logged/data/x`, { ...logged, ...none, artifactUri: `${model.artifactUri}/data/x` }],
        [`models:/${model.modelId}`, { ...logged, ...none }],
        [`models:/${name}/1`, { ...plain, name, version: '1' }],
        [`models:/${name}/1/deep/x`, { ...plain, name, version: '1', artifactUri: `${artifactUri}/plain/deep/x` }],
        [`models:/${name}@champion`, { ...logged, name, version: '2' }],
        [`models:/${name}/3`, { ...plain, name, version: '3' }],
        [`models:/${name}/latest`, { ...plain, name, version: '3' }],
        ['s3://bucket/x', { artifactUri: 's3://bucket/x', runId: null, modelId: null, ...none }],
      ];
      for (const [uri, resolved] of expected) expect(await client.resolveModelUri(uri), uri).toEqual(resolved);
      for (const uri of [`models:/${name}@none`, `models:/${name}/9`, 'models:/m-none', `runs:/${UNKNOWN}/x`]) {
        await rejectsWith(() => client.resolveModelUri(uri), 'NOT_FOUND');
      }
      await rejectsWith(() => client.resolveModelUri('models:/'), 'INVALID_ARGUMENT');
    });
  });
});
