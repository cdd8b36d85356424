// Child process of isolation.spec.ts: boots and closes an application again and again, then leaves the process to itself.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { queryObjects } from 'node:v8';
import { Injectable, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import {
  DataStreamPlugin,
  ExperimentHub,
  ExperimentHubModule,
  Experiments,
  HubPlugin,
  MLOpsPlugin,
  OnData,
  Task,
  TaskQueuePlugin,
  type HubOptions,
  type TaskContext,
} from '../../src/index.js';
import { PluginEntry } from '../../src/core/plugin-entry.js';
import { PluginRegistry } from '../../src/core/plugin-registry.js';
import { HubTestingModule } from '../../src/testing/index.js';

const [mode = 'memory', folder = '', boots = '100', warm = '20'] = process.argv.slice(2);

@Injectable()
class Work {
  static received = 0;

  @OnData('in', { createQueue: true })
  async receive(): Promise<void> {
    Work.received += 1;
  }

  @Task('double')
  async double({ args }: TaskContext): Promise<number> {
    return Number(args[0]) * 2;
  }
}

/** What each boot imports, by mode. `bare` is Nest without the hub; `leak` keeps what it closed. */
const hubs: Record<string, () => DynamicModule> = {
  memory: () => HubTestingModule.forRoot({ health: {} }),
  leak: () => HubTestingModule.forRoot({ health: {} }),
  handle: () => HubTestingModule.forRoot({ health: {} }),
  disk: () => {
    const local = { type: 'local', config: { dataDir: join(folder, 'data') } };
    const config: HubOptions = {
      global: { workDir: join(folder, 'work') },
      plugins: { mlops: local, datastream: local, taskqueue: local },
    };
    return ExperimentHubModule.forRoot({ config });
  },
  bare: () => TerminusModule.forRoot({ logger: false }),
};
const kept: unknown[] = [];

async function boot(index: number): Promise<void> {
  const hub = hubs[mode]?.();
  if (hub === undefined) throw new Error(`no mode ${mode}`);
  const full = mode !== 'bare';
  @Module({ imports: [hub], providers: full ? [Work] : [] })
  class App {}
  const app = await NestFactory.create(App, { logger: ['error', 'warn'], abortOnError: false });
  await app.listen(0, '127.0.0.1');
  if (full) {
    const [answer] = (await once(get(`${await app.getUrl()}/health`, { agent: false }), 'response')) as [
      IncomingMessage,
    ];
    answer.resume();
    if (answer.statusCode !== 200) throw new Error(`health ${answer.statusCode}`);
    await useAll(app.get(MLOpsPlugin), app.get(DataStreamPlugin), app.get(TaskQueuePlugin), index);
  }
  await app.close();
  if (mode === 'leak') kept.push(app);
}

async function useAll(
  mlops: MLOpsPlugin,
  stream: DataStreamPlugin,
  tasks: TaskQueuePlugin,
  index: number,
): Promise<void> {
  // Threads are slow to start here, since each compiles its TypeScript, so only some of the boots use one.
  if (index % 50 === 5) {
    await tasks.registerTasks(new URL('../durability/thread-tasks.ts', import.meta.url));
    const sum = await tasks.getResult<number>(await tasks.submitTask('thread.add', { args: [index, 1] }));
    if (sum !== index + 1) throw new Error(`${index} + 1 = ${sum}`);
  }
  const experiment = await mlops.createExperiment(`e-${randomUUID()}`);
  const { runId } = await mlops.startRun(experiment);
  await mlops.logMetric(runId, 'loss', index);
  await mlops.endRun(runId);
  const before = Work.received;
  await stream.sendData('in', { index });
  const double = await tasks.getResult<number>(await tasks.submitTask('double', { args: [index] }));
  if (double !== 2 * index) throw new Error(`2 * ${index} = ${double}`);
  for (let wait = 0; Work.received === before; wait += 1) {
    if (wait > 1_000) throw new Error('the message did not come');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Bytes of the heap when nothing is left to collect. Finalizers of native handles run between turns of the loop. */
async function heap(): Promise<number> {
  for (let turn = 0; turn < 6; turn += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage().heapUsed;
}

/** How many objects of the hub's own classes are reachable; their prototypes count as one each. */
function instances(): number {
  const classes = [HubPlugin, PluginEntry, PluginRegistry, ExperimentHub, Experiments] as unknown as (() => void)[];
  return classes.reduce((sum, type) => sum + queryObjects(type, { format: 'count' }), 0);
}

const heaps: number[] = [];
const objects: number[] = [];
for (let index = 1; index <= Number(boots); index += 1) {
  await boot(index);
  if (index !== Number(warm) && index !== Number(boots)) continue;
  heaps.push(await heap());
  objects.push(instances());
}
await new Promise((resolve) => setTimeout(resolve, 100));
if (mode === 'handle') setInterval(() => undefined, 60_000);
// Pipes and terminals are the process's own, to its parent.
const resources = process.getActiveResourcesInfo().filter((kind) => kind !== 'PipeWrap' && kind !== 'TTYWrap');
process.stdout.write(`${JSON.stringify({ heaps, objects, resources })}\n`);
