import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { collect, rejectsWith } from '../../src/core/contract.js';
import { CLIENT_TOKEN_TAG, MLflowClient } from '../../src/mlops/drivers/mlflow/client/index.js';
import type { RunBatch } from '../../src/mlops/mlops.types.js';
import { ClientRoom, fresh, newRun, START, UNKNOWN } from './client-room.js';
import type { LosingTransport, Loss } from './losing-transport.js';
import { python, skipReason } from './mlflow-python.js';

describe.skipIf(python === undefined)(`the MLflow client on a real server${skipReason}`, () => {
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

  describe('lost answers', () => {
    const named = async (kind: 'experiments' | 'runs', id?: string) =>
      kind === 'runs'
        ? (await collect(client.runs.search({ experimentIds: [id ?? ''] }))).length
        : (await collect(client.experiments.search({ filter: `name = '${id}'` }))).length;

    it.each(['answer', 'request', 'request, answer', 'answer, request'])(
      'an experiment and a run are made once, lost: %s',
      async (list) => {
        const losses = list.split(', ') as Loss[];
        const name = fresh('lost');
        transport.lose('/experiments/create', ...losses);
        const id = await client.experiments.create(name, { tags: { a: 1 } });
        expect(await named('experiments', name)).toBe(1);
        transport.lose('/runs/create', ...losses);
        const run = await client.runs.create(id, { runName: 'r', params: { p: 1 } });
        expect(await named('runs', id)).toBe(1);
        expect(await client.runs.get(run.runId)).toEqual(run);
        expect(run.tags).not.toHaveProperty([CLIENT_TOKEN_TAG]);
      },
    );

    it.each(['answer', 'request'] as const)(
      'models, versions and logged models are made once, %s lost',
      async (loss) => {
        const name = fresh("lost 'model'");
        transport.lose('/registered-models/create', loss);
        expect((await client.models.create(name, { tags: { t: 1 } })).tags).toEqual({ t: '1' });
        transport.lose('/model-versions/create', loss);
        expect((await client.versions.create(name, { source: 's3://bucket/1' })).version).toBe('1');
        expect(await collect(client.versions.search({ filter: `name = "${name}"` }))).toHaveLength(1);
        const experimentIds = [await client.experiments.create(fresh('e'))];
        transport.lose('/logged-models', loss);
        const model = await client.loggedModels.create(experimentIds[0] ?? '', { name: 'm' });
        expect(await collect(client.loggedModels.search({ experimentIds }))).toEqual([model]);
      },
    );

    it('a name that somebody else has is ALREADY_EXISTS, also after a lost request', async () => {
      const name = fresh('taken');
      await client.experiments.create(name);
      transport.lose('/experiments/create', 'request');
      const error = await rejectsWith(() => client.experiments.create(name), 'ALREADY_EXISTS');
      expect(error.details['errorCode']).toBe('RESOURCE_ALREADY_EXISTS');
    });

    it('with the server away, creating rejects within its deadline and says that it may be done', async () => {
      const hurried = new MLflowClient(transport, { createDeadline: 2_000 });
      const id = await client.experiments.create(fresh('e'));
      transport.lose('/runs/create', 'answer');
      const began = Date.now();
      const create = () => {
        const created = hurried.runs.create(id);
        transport.lose('', ...Array.from({ length: 50 }, () => 'request' as const));
        return created;
      };
      const error = await rejectsWith(create, 'UNAVAILABLE');
      expect(error.details['maybeDone']).toBe(true);
      expect(Date.now() - began).toBeLessThan(5_000);
    });

    it('deleting and restoring an experiment is looked up', async () => {
      const id = await client.experiments.create(fresh('e'));
      transport.lose('/experiments/delete', 'answer');
      await client.experiments.delete(id);
      expect((await client.experiments.get(id)).lifecycleStage).toBe('deleted');
      transport.lose('/experiments/restore', 'request');
      await rejectsWith(() => client.experiments.restore(id), 'UNAVAILABLE');
      await client.experiments.restore(id);
      await rejectsWith(() => client.experiments.restore(id), 'CONFLICT');
    });
  });

  it('a run carries who, what and where from, as MLflow writes it; a parent has to exist', async () => {
    const parent = await newRun(client);
    const run = await client.runs.create(parent.experimentId, { parentRunId: parent.runId, userId: 'ada' });
    expect(run.tags).toMatchObject({
      'mlflow.user': 'ada',
      'mlflow.source.type': 'LOCAL',
      'mlflow.source.name': process.argv[1],
      'mlflow.parentRunId': parent.runId,
      'mlflow.runName': run.runName,
    });
    await rejectsWith(() => client.runs.create(parent.experimentId, { parentRunId: UNKNOWN }), 'NOT_FOUND');
    expect(await collect(client.runs.search({ experimentIds: [parent.experimentId] }))).toHaveLength(2);
  });

  it('ids that no server gives are NOT_FOUND without asking', async () => {
    for (const id of ['', '../x', 'a b', 'x'.repeat(300)]) {
      await rejectsWith(() => client.runs.get(id), 'NOT_FOUND');
      await rejectsWith(() => client.experiments.get(id), 'NOT_FOUND');
      await rejectsWith(() => client.loggedModels.get(id), 'NOT_FOUND');
      await rejectsWith(() => client.artifacts.list({ runId: id }), 'NOT_FOUND');
      await rejectsWith(() => client.artifacts.upload({ modelId: id }, 'x', 'x'), 'NOT_FOUND');
    }
    await rejectsWith(() => client.runs.get(7 as unknown as string), 'INVALID_ARGUMENT');
    expect(await collect(client.runs.search({ experimentIds: ['none'] }))).toEqual([]);
    expect(transport.sent).toEqual([]);
  });

  describe('batches', () => {
    it('of any size are checked, cut into what the server takes, and stored in order', async () => {
      const { runId } = await newRun(client);
      const texts = (value: number) => Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`k${i}`, value + i]));
      const metrics = Array.from({ length: 2_500 }, (_, step) => ({ key: 'm', value: step, step: step + 0.7 }));
      transport.sent.length = 0;
      await client.runs.logBatch(runId, { metrics, params: texts(0), tags: texts(1_000) });
      expect(transport.sent.filter((path) => path.endsWith('/log-batch'))).toHaveLength(5);
      const run = await client.runs.get(runId);
      expect(run.params).toMatchObject({ k0: '0', k149: '149' });
      expect(run.tags).toMatchObject({ k0: '1000', k149: '1149' });
      const history = await collect(client.metrics.history(runId, 'm'));
      expect(history.map(({ step }) => step)).toEqual(metrics.map((_, step) => step));
    });

    it('with a bad item send nothing, nor does an empty one', async () => {
      const { runId } = await newRun(client);
      transport.sent.length = 0;
      const metrics = Array.from({ length: 1_500 }, (_, step) => ({
        key: step < 1_499 ? 'm' : 'bad#key',
        value: step,
      }));
      for (const batch of [{ metrics }, { metrics: [{ key: 'm', value: '1' as unknown as number }] }, { params: [] }]) {
        await rejectsWith(() => client.runs.logBatch(runId, batch as RunBatch), 'INVALID_ARGUMENT');
      }
      await rejectsWith(() => client.runs.logBatch('../x', {}), 'NOT_FOUND');
      await client.runs.logBatch(runId, {});
      expect(transport.sent).toEqual([]);
    });

    it('refused name MLflow and keep its code', async () => {
      const { runId } = await newRun(client);
      await client.runs.logBatch(runId, { params: { p: 'a' } });
      const error = await rejectsWith(() => client.runs.logBatch(runId, { params: { p: 'b' } }), 'CONFLICT');
      expect(error.details['errorCode']).toBe('INVALID_PARAMETER_VALUE');
      await rejectsWith(() => client.runs.logBatch(UNKNOWN, { params: { p: 'b' } }), 'NOT_FOUND');
    });
  });

  it('outputs of a run are checked before they are sent', async () => {
    const { runId } = await newRun(client);
    transport.sent.length = 0;
    for (const step of [1.5, NaN, 2 ** 53, '3' as unknown as number]) {
      await rejectsWith(() => client.runs.logOutputs(runId, [{ modelId: 'm-1', step }]), 'INVALID_ARGUMENT');
    }
    for (const modelId of ['', 'forest', '../x']) {
      await rejectsWith(() => client.runs.logOutputs(runId, [{ modelId }]), 'NOT_FOUND');
    }
    expect(transport.sent).toEqual([]);
  });

  describe('histories', () => {
    it('of several pages come by step, though the server orders by time; NaN stays', { timeout: 60_000 }, async () => {
      const { runId } = await newRun(client);
      const count = 26_000;
      const metrics = Array.from({ length: count }, (_, step) => ({
        key: 'm',
        value: step % 1_000 === 7 ? NaN : step / 3,
        step,
        timestamp: 1_000_000 - step,
      }));
      await client.runs.logBatch(runId, { metrics });
      expect(await collect(client.metrics.history(runId, 'm'))).toEqual(metrics);
      const pages = await collect(client.metrics.pages(runId, 'm'));
      expect(pages.map((page) => page.length)).toEqual([25_000, 1_000]);
      expect(pages[0]?.[0]?.step).toBe(count - 1);
    });

    it('an unknown key has none, an unknown run is NOT_FOUND, a signal ends it', async () => {
      const { runId } = await newRun(client);
      await client.runs.logBatch(runId, { metrics: [{ key: 'm', value: 1, step: 1, timestamp: 1 }] });
      for (const key of ['none', '', 'a//b', '..', '#?%\n']) {
        expect(await collect(client.metrics.history(runId, key))).toEqual([]);
      }
      await rejectsWith(() => client.metrics.history(UNKNOWN, 'm'), 'NOT_FOUND');
      await rejectsWith(() => client.metrics.history(runId, 'm', { signal: AbortSignal.abort() }), 'ABORTED');
    });

    it('intervals of many runs are thinned out, with the first and the last step', async () => {
      const [first, second] = [await newRun(client), await newRun(client)];
      for (const { runId } of [first, second]) {
        const point = (step: number) => ({ key: 'm', value: step === 0 ? NaN : step, step, timestamp: 1 });
        await client.runs.logBatch(runId, { metrics: Array.from({ length: 500 }, (_, step) => point(step)) });
      }
      const ids = [first.runId, ...Array.from({ length: 150 }, (_, i) => `${i}`.padStart(32, 'e')), second.runId];
      const found = await client.metrics.historyInterval(ids, 'm', { maxResults: 10 });
      for (const { runId } of [first, second]) {
        const points = found.filter((point) => point.runId === runId);
        expect(points.length).toBeLessThan(20);
        expect(points.map(({ step }) => step)).toEqual(expect.arrayContaining([0, 499]));
        expect(points[0]?.value).toBeNaN();
      }
      const part = await client.metrics.historyInterval([first.runId], 'm', { startStep: 3, endStep: 5 });
      expect(part.map(({ step }) => step)).toEqual([3, 4, 5]);
      await rejectsWith(() => client.metrics.historyInterval([first.runId], 'm', { startStep: 3 }), 'INVALID_ARGUMENT');
      await rejectsWith(
        () => client.metrics.historyInterval([first.runId], 'm', { maxResults: 0 }),
        'INVALID_ARGUMENT',
      );
    });
  });
});
