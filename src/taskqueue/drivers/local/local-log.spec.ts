import workerThreads from 'node:worker_threads';
import { syncBuiltinESMExports } from 'node:module';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventually } from '../../../core/contract.js';
import { Redactor } from '../../../core/redact.js';
import { CONTRACT_TASKS } from '../../taskqueue.contract.js';
import { LocalTaskQueuePlugin } from './local.plugin.js';
import { TaskStore } from './task-store.js';

let plugin: LocalTaskQueuePlugin;
const lines: string[] = [];
const linesOf = (level: string): string[] => lines.filter((line) => line.startsWith(`${level} `));

beforeEach(async () => {
  lines.length = 0;
  for (const level of ['debug', 'log', 'warn', 'error'] as const) {
    vi.spyOn(Logger.prototype, level).mockImplementation((message: unknown) => {
      lines.push(`${level} ${String(message)}`);
    });
  }
  const options = { concurrency: 3, workerThreads: 2, attemptLimit: 2, killGrace: 20 };
  plugin = new LocalTaskQueuePlugin({ dataDir: ':memory:', ...options });
  plugin.hideSecrets(new Redactor(['s3cret']));
  await plugin.initialize();
});
afterEach(async () => {
  await plugin.shutdown();
  vi.restoreAllMocks();
});

const failed = async (taskId: string): Promise<void> =>
  eventually(async () => (await plugin.getStatus(taskId)).state === 'FAILURE', 'it fails', 15_000);

describe('what the local task queue logs', () => {
  it('a retry for the curious and the failure for everybody, without secrets', async () => {
    await plugin.registerTask('bill', () => {
      throw new TypeError('no s3cret here');
    });
    await failed(await plugin.submitTask('bill', { taskId: 't-1', retry: { attempts: 2, delay: 1 } }));
    expect(linesOf('debug')).toEqual([
      'debug task "bill" (t-1), attempt 1, failed and runs again in 1 ms: TypeError: no [redacted] here',
    ]);
    expect(linesOf('warn')).toEqual(['warn task "bill" (t-1), attempt 2, failed: TypeError: no [redacted] here']);
  });

  it('a result that is too large', async () => {
    await plugin.registerTask('big', () => 'x'.repeat(2_000_000));
    await failed(await plugin.submitTask('big', { taskId: 't-2' }));
    expect(linesOf('warn')).toEqual([
      expect.stringMatching(/^warn task "big" \(t-2\), attempt 1, failed: PAYLOAD_INV/),
    ]);
  });

  it('each thread that is lost', async () => {
    await plugin.registerTasks(CONTRACT_TASKS);
    await failed(await plugin.submitTask('contract.exit', { taskId: 't-3', kwargs: { times: 9 } }));
    expect(linesOf('warn')).toEqual([
      expect.stringMatching(/"contract\.exit" \(t-3\), attempt 1, was lost and runs again in \d+ ms: WorkerLost/),
      expect.stringMatching(/"contract\.exit" \(t-3\), attempt 2, failed: WorkerLost: .*attemptLimit/),
    ]);
  });

  it('a handler that ignores its time limit and holds a slot', async () => {
    let finish = (): void => undefined;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    await plugin.registerTask('stubborn', () => gate, { timeLimit: 20 });
    await failed(await plugin.submitTask('stubborn', { taskId: 't-4' }));
    expect(linesOf('warn')).toContainEqual(
      'warn task "stubborn" (t-4), attempt 1, ignores its time limit and still holds a slot (1 of 3 in use).',
    );
    finish();
  });

  it('tasks that a dead process left, at the next start, and lets them run at once', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'taskqueue-log-'));
    const options = { dataDir, attemptLimit: 3 };
    const first = new LocalTaskQueuePlugin(options);
    await first.initialize();
    await first.registerTask('long', () => new Promise(() => undefined));
    await first.submitTask('long', { taskId: 't-5' });
    await eventually(async () => (await first.getStatus('t-5')).state === 'STARTED', 'it starts');
    // To the store an abandoned task is as one of a killed process.
    await first.shutdown();
    const second = new LocalTaskQueuePlugin(options);
    try {
      await second.initialize();
      expect(linesOf('warn')).toEqual([
        expect.stringMatching(/"long" \(t-5\), attempt 1, was lost and runs again in 0/),
      ]);
      await second.registerTask('long', ({ attempt }) => attempt);
      expect(await second.getResult('t-5', { timeout: 500 })).toBe(2);
    } finally {
      await second.shutdown();
      await rm(dataDir, { recursive: true });
    }
  });
});

describe('a store that cannot be written', () => {
  it.each([
    ['claim', 'start tasks'],
    ['succeed', 'store the end of tasks'],
  ] as const)('turns health off while %s fails, and is logged once', async (method, what) => {
    const broken = vi.spyOn(TaskStore.prototype, method).mockImplementation(() => {
      throw new Error('database or disk is full');
    });
    await plugin.registerTask('fine', () => 'done');
    const taskId = await plugin.submitTask('fine');
    await eventually(() => broken.mock.calls.length >= 2, 'it is tried again');
    const sick = await plugin.healthCheck();
    expect(sick.healthy).toBe(false);
    expect(sick.details['message']).toContain(`the task store cannot ${what}: database or disk is full`);
    expect(linesOf('error')).toEqual([
      `error the task store cannot ${what}: database or disk is full. It goes on trying.`,
    ]);
    broken.mockRestore();
    expect(await plugin.getResult(taskId, { timeout: 5_000 })).toBe('done');
    await eventually(async () => (await plugin.healthCheck()).healthy, 'health is on again');
    expect(linesOf('log')).toEqual([`log the task store can ${what} again.`]);
  });
});

const { Worker } = workerThreads;
/** What Node does when the machine has no thread to give. */
class NoWorker {
  constructor() {
    throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
  }
}
/** A thread that ends before it runs any code, for lack of memory, say. */
class StillbornWorker extends Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    super(...args);
    void this.terminate();
  }
}
const replaceWorker = (by: unknown): void => {
  workerThreads.Worker = by as typeof Worker;
  syncBuiltinESMExports();
};

it.each([
  ['that Node refuses', NoWorker, /no worker thread.*EAGAIN/],
  ['that end before they begin', StillbornWorker, /the worker thread ended/],
] as const)(
  'threads %s do not use up the attempts of a task within milliseconds',
  { timeout: 20_000 },
  async (_what, broken, message) => {
    await plugin.registerTasks(CONTRACT_TASKS);
    // The thread that has listed the module is kept; this task takes it.
    const other = await plugin.submitTask('contract.sleep', { kwargs: { ms: 1_500 } });
    await eventually(async () => (await plugin.getStatus(other)).state === 'STARTED', 'it starts');
    try {
      replaceWorker(broken);
      const taskId = await plugin.submitTask('contract.add', { args: [1, 2] });
      await eventually(async () => (await plugin.getStatus(taskId)).state === 'RETRY', 'no thread can be started');
      await new Promise((resolve) => setTimeout(resolve, 300));
      replaceWorker(Worker);
      expect(await plugin.getResult(taskId, { timeout: 15_000 })).toBe(3);
    } finally {
      replaceWorker(Worker);
    }
    expect(linesOf('warn')).toEqual([expect.stringMatching(message)]);
    await plugin.getResult(other, { timeout: 15_000 });
  },
);
