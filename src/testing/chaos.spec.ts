import { afterEach, describe, expect, it } from 'vitest';
import { collect, eventually, rejectsWith } from '../core/contract.js';
import { HubPlugin } from '../core/plugin.js';
import { LocalDataStreamPlugin } from '../datastream/drivers/local/local.plugin.js';
import { LocalMLOpsPlugin } from '../mlops/drivers/local/local.plugin.js';
import { LocalTaskQueuePlugin } from '../taskqueue/drivers/local/local.plugin.js';
import { withChaos, type Chaos, type ChaosOptions, type ChaosRule } from './chaos.js';

const opened: HubPlugin[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((plugin) => plugin.shutdown()));
});

/** Opens a plugin behind faults. */
async function faulty<P extends HubPlugin>(plugin: P, rules: ChaosRule[], options?: ChaosOptions): Promise<Chaos<P>> {
  const chaos = withChaos(plugin, rules, options);
  opened.push(plugin);
  await chaos.plugin.initialize();
  return chaos;
}
const mlops = (rules: ChaosRule[]) => faulty(new LocalMLOpsPlugin({ dataDir: ':memory:' }), rules);
const tasks = (rules: ChaosRule[]) =>
  faulty(new LocalTaskQueuePlugin({ dataDir: ':memory:', workerThreads: 1 }), rules);
const stream = async (rules: ChaosRule[], options?: ChaosOptions) => {
  const queues = [{ name: 'orders' }];
  return faulty(
    new LocalDataStreamPlugin({ dataDir: ':memory:', durability: 'process', maxPayloadBytes: 65_536, queues }),
    rules,
    options,
  );
};

describe('withChaos on a stream', () => {
  it('drop: the call does not reach the backend and is TIMEOUT', async () => {
    const { plugin, faults } = await stream([{ fault: 'drop', methods: ['sendData'], times: 1 }]);
    const error = await rejectsWith(() => plugin.sendData('orders', 1), 'TIMEOUT');
    expect(error).toMatchObject({ plugin: 'datastream', driver: 'local', operation: 'sendData' });
    expect(await plugin.queueInfo('orders')).toMatchObject({ ready: 0 });
    await plugin.sendData('orders', 2);
    expect(await plugin.queueInfo('orders')).toMatchObject({ ready: 1 });
    expect(faults).toEqual([{ method: 'sendData', fault: 'drop' }]);
  });

  it('lose-answer: the call is carried out and is UNAVAILABLE', async () => {
    const { plugin } = await stream([{ fault: 'lose-answer', methods: ['sendData'], times: 1 }]);
    await rejectsWith(() => plugin.sendData('orders', 1), 'UNAVAILABLE');
    expect(await plugin.pullData('orders')).toMatchObject({ payload: 1 });
  });

  it('duplicate: the call is carried out twice and answered once', async () => {
    const { plugin } = await stream([{ fault: 'duplicate', methods: ['sendData'], times: 1 }]);
    expect(await plugin.sendData('orders', 1, { messageId: 'twin' })).toBe('twin');
    expect((await plugin.pullBatch('orders', { max: 9 })).map(({ messageId }) => messageId)).toEqual(['twin', 'twin']);
  });

  it('delay: the call is carried out after its time', async () => {
    const { plugin } = await stream([{ fault: 'delay', methods: ['sendData'], delay: 150 }]);
    const begin = Date.now();
    const sending = plugin.sendData('orders', 1);
    expect(await plugin.queueInfo('orders')).toMatchObject({ ready: 0 });
    await sending;
    expect(Date.now() - begin).toBeGreaterThanOrEqual(145);
    expect(await plugin.queueInfo('orders')).toMatchObject({ ready: 1 });
  });

  it('disconnect: everything is UNAVAILABLE and health is bad until reconnect; life still works', async () => {
    const { plugin, reconnect } = await stream([{ fault: 'disconnect', methods: ['sendData'], times: 1 }]);
    expect((await plugin.healthCheck()).healthy).toBe(true);
    await rejectsWith(() => plugin.sendData('orders', 1), 'UNAVAILABLE');
    await rejectsWith(() => plugin.queueInfo('orders'), 'UNAVAILABLE');
    const { healthy, details } = await plugin.healthCheck();
    expect(healthy).toBe(false);
    expect(details).toEqual({ driver: 'local', phase: 'open', message: 'disconnected by chaos' });
    await plugin.connect();
    reconnect();
    expect((await plugin.healthCheck()).healthy).toBe(true);
    expect(await plugin.queueInfo('orders')).toMatchObject({ ready: 0 });
  });

  it('the same seed and calls give the same faults, another seed others', async () => {
    const draw = async (seed: number): Promise<number[]> => {
      const { plugin, faults } = await stream([{ fault: 'drop', probability: 0.3 }], { seed });
      const lost: number[] = [];
      for (let index = 0; index < 200; index += 1) {
        await plugin.sendData('orders', index).catch(() => void lost.push(index));
      }
      expect(faults).toHaveLength(lost.length);
      return lost;
    };
    const [first, again, other] = [await draw(7), await draw(7), await draw(8)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(first.length).toBeGreaterThan(30);
    expect(first.length).toBeLessThan(90);
  });

  it('rules are tried in order, and calm lets everything through', async () => {
    const { plugin, faults, calm } = await stream([
      { fault: 'drop', times: 1 },
      { fault: 'disconnect', times: 1 },
    ]);
    await rejectsWith(() => plugin.sendData('orders', 1), 'TIMEOUT');
    await rejectsWith(() => plugin.sendData('orders', 1), 'UNAVAILABLE');
    calm();
    await plugin.sendData('orders', 1);
    expect(faults.map(({ fault }) => fault)).toEqual(['drop', 'disconnect']);
  });

  it('is a plugin like the one behind it', async () => {
    const { plugin } = await stream([{ fault: 'drop' }]);
    expect(HubPlugin.isPlugin(plugin, 'datastream')).toBe(true);
    expect(plugin).toBeInstanceOf(LocalDataStreamPlugin);
    expect([plugin.driver, plugin.phase, plugin.supports.priority]).toEqual(['local', 'open', true]);
    expect(String(plugin)).toBe('[object Object]');
    await plugin.drain();
    await plugin.shutdown();
    expect(plugin.phase).toBe('closed');
  });

  it('a consumer behind duplicates sees each message by its id', async () => {
    const { plugin } = await stream([{ fault: 'duplicate', methods: ['sendData'], probability: 0.5 }]);
    const seen = new Map<string, number>();
    await plugin.subscribe('orders', ({ messageId }) => void seen.set(messageId, (seen.get(messageId) ?? 0) + 1));
    const ids = Array.from({ length: 40 }, (_, index) => `m-${index}`);
    for (const messageId of ids) await plugin.sendData('orders', 1, { messageId });
    await eventually(() => seen.size === 40, 'all have come');
    await eventually(async () => (await plugin.queueInfo('orders')).ready === 0, 'the queue is worked off');
    expect([...seen.keys()]).toEqual(ids);
    expect(Math.max(...seen.values())).toBe(2);
  });
});

describe('withChaos on MLOps', () => {
  it('hits every kind of call: writes lost, doubled, late, cut off', async () => {
    const { plugin, calm } = await mlops([
      { fault: 'drop', methods: ['logParam'] },
      { fault: 'lose-answer', methods: ['setTag'] },
      { fault: 'duplicate', methods: ['startRun'] },
      { fault: 'delay', methods: ['getRun'], delay: 50 },
      { fault: 'disconnect', methods: ['endRun'] },
    ]);
    const experimentId = await plugin.createExperiment('chaos');
    const { runId } = await plugin.startRun(experimentId);
    expect(await collect(plugin.searchRuns({ experimentIds: [experimentId] }))).toHaveLength(2);
    await rejectsWith(() => plugin.logParam(runId, 'p', 1), 'TIMEOUT');
    await rejectsWith(() => plugin.setTag(runId, 't', 1), 'UNAVAILABLE');
    const { params, tags } = await plugin.getRun(runId);
    expect([params, tags['t']]).toEqual([{}, '1']);
    await rejectsWith(() => plugin.endRun(runId), 'UNAVAILABLE');
    await rejectsWith(() => plugin.getRun(runId), 'UNAVAILABLE');
    calm();
    expect(await plugin.getRun(runId)).toMatchObject({ status: 'RUNNING' });
  });

  it('hits the first step of iterators by drop, delay and disconnect, and by nothing else', async () => {
    const { plugin, faults } = await mlops([
      { fault: 'lose-answer', methods: ['getMetricHistory'] },
      { fault: 'duplicate', methods: ['getMetricHistory'] },
      { fault: 'drop', methods: ['getMetricHistory'], times: 1 },
      { fault: 'delay', methods: ['getMetricHistory'], times: 1, delay: 100 },
      { fault: 'disconnect', methods: ['searchRuns'] },
    ]);
    const experimentId = await plugin.createExperiment('chaos');
    const { runId } = await plugin.startRun(experimentId);
    await plugin.logMetrics(runId, { m: 1 });
    await rejectsWith(() => plugin.getMetricHistory(runId, 'm'), 'TIMEOUT');
    const begin = Date.now();
    expect(await collect(plugin.getMetricHistory(runId, 'm'))).toHaveLength(1);
    expect(Date.now() - begin).toBeGreaterThanOrEqual(95);
    expect(await collect(plugin.getMetricHistory(runId, 'm'))).toHaveLength(1);
    await rejectsWith(() => plugin.searchRuns({ experimentIds: [experimentId] }), 'UNAVAILABLE');
    await rejectsWith(() => plugin.getMetricHistory(runId, 'm'), 'UNAVAILABLE');
    expect(faults.map(({ fault }) => fault)).toEqual(['drop', 'delay', 'disconnect']);
  });

  it('hits what withRun calls', async () => {
    const { plugin, faults } = await mlops([{ fault: 'drop', methods: ['logMetric'], times: 1 }]);
    let id = '';
    await rejectsWith(
      () =>
        plugin.withRun('chaos', {}, async (run) => {
          id = run.runId;
          await run.logMetric('m', 1);
        }),
      'TIMEOUT',
    );
    expect(faults).toEqual([{ method: 'logMetric', fault: 'drop' }]);
    expect(await plugin.getRun(id)).toMatchObject({ status: 'FAILED' });
  });
});

describe('withChaos on a task queue', () => {
  it('hits every kind of call: submits lost, doubled, unanswered, late, cut off', async () => {
    const { plugin, reconnect } = await tasks([
      { fault: 'drop', methods: ['submitTask'], times: 1 },
      { fault: 'lose-answer', methods: ['submitTask'], times: 1 },
      { fault: 'duplicate', methods: ['submitTask'], times: 1 },
      { fault: 'delay', methods: ['getStatus'], times: 1, delay: 60 },
      { fault: 'disconnect', methods: ['cancel'], times: 1 },
    ]);
    const runs: string[] = [];
    await plugin.registerTask('note', ({ taskId }) => void runs.push(taskId));
    await rejectsWith(() => plugin.submitTask('note', { taskId: 'dropped' }), 'TIMEOUT');
    await rejectsWith(() => plugin.submitTask('note', { taskId: 'unanswered' }), 'UNAVAILABLE');
    const twin = await plugin.submitTask('note');
    expect(await plugin.getResult('unanswered', { timeout: 5_000 })).toBeNull();
    expect(await plugin.getResult(twin, { timeout: 5_000 })).toBeNull();
    await eventually(() => runs.length === 3, 'both of the pair have run');
    expect(runs).not.toContain('dropped');
    const begin = Date.now();
    expect(await plugin.getStatus(twin)).toMatchObject({ state: 'SUCCESS' });
    expect(Date.now() - begin).toBeGreaterThanOrEqual(55);
    await rejectsWith(() => plugin.cancel(twin), 'UNAVAILABLE');
    await rejectsWith(() => plugin.getStatus(twin), 'UNAVAILABLE');
    reconnect();
    expect(await plugin.cancel(twin)).toBe('finished');
  });

  it('hits progress and task handles', async () => {
    const { plugin, faults } = await tasks([{ fault: 'drop', methods: ['progress', 'getResult'], times: 2 }]);
    await plugin.registerTask('step', (task) => task.progress(1));
    const handle = plugin.task(await plugin.submitTask('step', { countdown: 100 }));
    await rejectsWith(() => handle.progress(), 'TIMEOUT');
    await rejectsWith(() => handle.result(), 'TIMEOUT');
    expect((await collect(handle.progress())).map(({ data }) => data)).toEqual([1]);
    expect(faults.map(({ method }) => method)).toEqual(['progress', 'getResult']);
  });
});
