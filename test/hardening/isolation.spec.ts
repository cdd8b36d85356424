import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  DataStreamPlugin,
  ExperimentHub,
  ExperimentHubModule,
  HubError,
  HubHealthIndicator,
  MLOpsPlugin,
  OnData,
  PluginRegistry,
  Task,
  TaskQueuePlugin,
  type HubOptions,
  type Message,
  type TaskContext,
} from '../../src/index.js';
import { collect } from '../../src/testing/index.js';
import { resultOf } from './run-child.js';
import { vaultDriver } from './vault.driver.js';

/** The handlers of one application: a class of its own in each, so that what runs tells whose it is. */
@Injectable()
class Worker {
  readonly received: unknown[] = [];
  readonly ran: string[] = [];
  name = '';

  @OnData('rows', { createQueue: true })
  async receive({ payload }: Message): Promise<void> {
    this.received.push(payload);
  }

  @Task('whoami')
  async whoami({ taskId }: TaskContext): Promise<string> {
    this.ran.push(taskId);
    return this.name;
  }
}

interface Booted {
  app: INestApplicationContext;
  worker: Worker;
  hub: ExperimentHub;
  mlops: MLOpsPlugin;
  stream: DataStreamPlugin;
  tasks: TaskQueuePlugin;
}

const apps: INestApplicationContext[] = [];
let folder: string;

async function boot(name: string, config: HubOptions): Promise<Booted> {
  @Module({
    imports: [ExperimentHubModule.forRoot({ config, drivers: [vaultDriver], health: { details: true, cacheFor: 0 } })],
    providers: [Worker],
  })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  apps.push(app);
  const worker = app.get(Worker);
  worker.name = name;
  return {
    app,
    worker,
    hub: app.get(ExperimentHub),
    mlops: app.get(MLOpsPlugin),
    stream: app.get(DataStreamPlugin),
    tasks: app.get(TaskQueuePlugin),
  };
}

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'resolved',
    (error: unknown) => (HubError.is(error) ? error.code : error),
  );

/** Everything that an application does: a run, a message to its handler, a task. */
async function works({ worker, hub, mlops, stream, tasks }: Booted): Promise<void> {
  const before = worker.received.length;
  const experiment = await mlops.createExperiment(`again-${before}-${worker.name}`);
  expect((await mlops.getExperiment(experiment)).name).toBe(`again-${before}-${worker.name}`);
  await stream.sendData('rows', { from: worker.name });
  await expect.poll(() => worker.received.length, { timeout: 5_000 }).toBe(before + 1);
  expect(worker.received.at(-1)).toEqual({ from: worker.name });
  expect(await tasks.getResult(await tasks.submitTask('whoami'))).toBe(worker.name);
  expect(hub.ready).toBe(true);
  for (const health of Object.values(await hub.checkPluginHealth())) expect(health.healthy).toBe(true);
}

const memory = { type: 'local', config: { dataDir: ':memory:' } };
const onDisk = (name: string): HubOptions => {
  const local = { type: 'local', config: { dataDir: join(folder, name) } };
  return {
    global: { workDir: join(folder, name, 'work') },
    plugins: { mlops: local, datastream: local, taskqueue: local },
  };
};
const inMemory = (name: string): HubOptions => ({
  global: { workDir: join(folder, name, 'work') },
  plugins: { mlops: memory, datastream: memory, taskqueue: memory },
});
const otherDrivers = (name: string): HubOptions => ({
  ...inMemory(name),
  plugins: { mlops: memory, datastream: { type: 'vault', config: { password: 'of-b' } }, taskqueue: memory },
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hub-isolation-'));
});
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
  await rm(folder, { recursive: true, force: true });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each([
  ['the same drivers on disk', onDisk, onDisk],
  ['the same drivers in memory', inMemory, inMemory],
  ['disk beside memory', onDisk, inMemory],
  ['different drivers', onDisk, otherDrivers],
])('two applications in one process: %s', (_what, first, second) => {
  it('share nothing', async () => {
    const [a, b] = [await boot('a', first('a')), await boot('b', second('b'))];
    await Promise.all([works(a), works(b)]);

    // Queues and their handlers.
    for (const mine of [a, b]) {
      expect(mine.worker.received).toEqual([{ from: mine.worker.name }]);
      expect(mine.worker.ran).toHaveLength(1);
    }
    await a.stream.createQueue('only-a');
    expect(await codeOf(b.stream.queueInfo('only-a'))).toBe('NOT_FOUND');

    // Tasks: neither their names nor their ids.
    await a.tasks.registerTask('only-a', () => 1);
    const taskId = await b.tasks.submitTask('only-a');
    expect(await codeOf(b.tasks.getResult(taskId, { timeout: 150 }))).toBe('TIMEOUT');
    expect((await a.tasks.getStatus(taskId)).name).toBeNull();

    // Runs, experiments, models.
    const runId = (await a.mlops.startRun(await a.mlops.createExperiment('only-a'))).runId;
    await a.mlops.createRegisteredModel('only-a');
    expect(await b.mlops.getExperimentByName('only-a')).toBeNull();
    expect(await codeOf(b.mlops.getRun(runId))).toBe('NOT_FOUND');
    expect(await collect(b.mlops.searchRegisteredModels())).toEqual([]);

    // Experiments of the hub.
    a.hub.experiments.define({ name: 'only-a', tasks: { train: 't', predict: 'p' } });
    expect(a.hub.experiments.list()).toHaveLength(1);
    expect(b.hub.experiments.list()).toEqual([]);

    // The registry, the level of its log, its deadline.
    expect(a.app.get(PluginRegistry)).not.toBe(b.app.get(PluginRegistry));
    a.app.get(PluginRegistry).logger.level = 'fatal';
    expect(b.app.get(PluginRegistry).logger.level).toBe('log');
  });

  it('do not see that the other is down, nor close it', async () => {
    const [a, b] = [await boot('a', first('a')), await boot('b', second('b'))];
    await a.stream.shutdown();
    expect((await a.hub.checkPluginHealth('datastream'))[`datastream/${a.stream.driver}`]?.healthy).toBe(false);
    expect(await a.app.get(HubHealthIndicator).isHealthy()).toMatchObject({ datastream: { status: 'down' } });
    expect(await b.app.get(HubHealthIndicator).isHealthy()).toMatchObject({ datastream: { status: 'up' } });
    expect([a.hub.ready, b.hub.ready]).toEqual([false, true]);

    // Closed while the other has a task and a message under way.
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    await b.tasks.registerTask('long', () => released.then(() => 'done'));
    const taskId = await b.tasks.submitTask('long');
    await expect.poll(async () => (await b.tasks.getStatus(taskId)).state).toBe('STARTED');
    await a.app.close();
    release();
    expect(await b.tasks.getResult(taskId)).toBe('done');
    await works(b);
    expect(await codeOf(a.mlops.getExperimentByName('x'))).toBe('CLOSED');

    // The same again into the place of the one that closed.
    const again = await boot('a', first('a'));
    await Promise.all([works(again), works(b)]);
    await b.app.close();
    await works(again);
  });

  it('redact only their own secrets', async () => {
    const [a, b] = [await boot('a', first('a')), await boot('b', second('b'))];
    const text = 'the word of-b';
    const redacted = b.app.get(PluginRegistry).find('datastream')?.policy.redactor.text(text);
    expect(redacted === text).toBe(b.stream.driver === 'local');
    for (const { policy } of a.app.get(PluginRegistry).entries) expect(policy.redactor.text(text)).toBe(text);
  });
});

it('an application that fails to boot beside another closes nothing of it', async () => {
  const a = await boot('a', onDisk('a'));
  // The folder is taken: the boot fails with plugins already open, and closes those alone.
  expect(await codeOf(boot('b', onDisk('a')))).toBe('STORE_LOCKED');
  await works(a);
  expect((await stat(join(folder, 'a', 'tasks.db.owner'))).isFile()).toBe(true);
  await a.app.close();
  await works(await boot('b', onDisk('a')));
});

describe.concurrent(
  '100 boots in one process',
  () => {
    /** Growth of the heap that 80 boots may leave, in bytes. One kept application is over 300 000. */
    const LIMIT = 3 * 1024 * 1024;
    const BOOTS = 100;

    it.each(['memory', 'disk'])('%s: no handle is left open and the heap is flat', async (mode) => {
      // Its own folder: these tests run side by side, and the shared one goes with the first that ends.
      const own = await mkdtemp(join(tmpdir(), 'hub-boots-'));
      const { heaps, objects, resources } = await resultOf('boots.child.ts', [mode, own, BOOTS, 20]);
      await rm(own, { recursive: true, force: true });
      const growth = (heaps[1] ?? NaN) - (heaps[0] ?? NaN);
      console.log(`${mode}: heap ${heaps.join(' -> ')} bytes, objects of the hub ${objects.join(' -> ')}`);
      expect(resources).toEqual([]);
      expect(growth).toBeLessThan(LIMIT);
      expect(objects[1]).toBe(objects[0]);
    });

    it('the control that keeps its applications fails both bounds', async () => {
      const { heaps, objects } = await resultOf('boots.child.ts', ['leak', '', 30, 10]);
      const growth = (heaps[1] ?? NaN) - (heaps[0] ?? NaN);
      console.log(`control: heap ${heaps.join(' -> ')} bytes, objects of the hub ${objects.join(' -> ')}`);
      expect(growth).toBeGreaterThan(LIMIT);
      expect(objects[1]).toBeGreaterThan(objects[0] ?? Infinity);
    });

    it('the control with an open handle is seen, and does not end by itself', async () => {
      await expect(resultOf('boots.child.ts', ['handle', '', 1, 1], { timeout: 60_000 })).rejects.toThrow(
        /did not end by itself.*"resources":\["Timeout"\]/s,
      );
    });
  },
  300_000,
);
