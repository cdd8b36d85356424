import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../core/contract.js';
import type { LocalTaskQueueOptions } from './local.options.js';
import { LocalTaskQueuePlugin } from './local.plugin.js';
import { TaskStore, TOMBSTONE_TTL } from './task-store.js';

let dir: string;
const opened: LocalTaskQueuePlugin[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'taskqueue-local-'));
});
afterEach(async () => {
  for (const plugin of opened.splice(0)) await plugin.shutdown();
  await rm(dir, { recursive: true, force: true });
});

async function open(options: Partial<LocalTaskQueueOptions> = {}): Promise<LocalTaskQueuePlugin> {
  const plugin = new LocalTaskQueuePlugin({ dataDir: dir, ...options });
  opened.push(plugin);
  await plugin.initialize();
  return plugin;
}

describe('LocalTaskQueuePlugin', () => {
  it('refuses a second owner of the folder', async () => {
    await open();
    await expect(open()).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  });

  it('refuses options that are wrong', () => {
    expect(() => new LocalTaskQueuePlugin({ concurrency: 0 })).toThrowError(/concurrency/);
  });

  it('a result past resultTtl is RESULT_EXPIRED, its id is still known', async () => {
    const plugin = await open({ resultTtl: 300 });
    await plugin.registerTask('quick', () => 'result');
    const taskId = await plugin.submitTask('quick', { taskId: 'known' });
    expect(await plugin.getResult(taskId)).toBe('result');
    await new Promise((resolve) => setTimeout(resolve, 350));
    await expect(plugin.getResult(taskId)).rejects.toMatchObject({ code: 'RESULT_EXPIRED' });
    expect(await plugin.getStatus(taskId)).toMatchObject({ name: 'quick', state: 'SUCCESS' });
    expect(await plugin.submitTask('quick', { taskId: 'known' })).toBe('known');
    await expect(plugin.getResult(taskId)).rejects.toMatchObject({ code: 'RESULT_EXPIRED' });
  });

  it('forgets a task when its tombstone time is over, and not before', async () => {
    const plugin = await open();
    await plugin.registerTask('quick', () => 'result');
    await plugin.getResult(await plugin.submitTask('quick', { taskId: 'old' }));
    await plugin.shutdown();
    const store = new TaskStore({ dataDir: dir, durability: 'process' }, 1_000);
    try {
      const expiry = Date.now() + 1_000;
      while (store.cleanUp(expiry));
      expect(store.find('old')).toMatchObject({ expired: true, result: null });
      while (store.cleanUp(expiry + TOMBSTONE_TTL - 60_000));
      expect(store.find('old')).toBeDefined();
      while (store.cleanUp(expiry + TOMBSTONE_TTL + 60_000));
      expect(store.find('old')).toBeUndefined();
    } finally {
      store.close();
    }
  });

  it('maxPayloadBytes holds for arguments, progress and results', async () => {
    const plugin = await open({ maxPayloadBytes: 100 });
    const text = 'x'.repeat(200);
    await expect(plugin.submitTask('any', { args: [text] })).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
    await plugin.registerTask('large', () => text);
    await plugin.registerTask('chatty', ({ progress }) => progress(text));
    for (const name of ['large', 'chatty']) {
      await expect(plugin.getResult(await plugin.submitTask(name))).rejects.toMatchObject({
        code: 'TASK_FAILED',
        details: { type: 'PAYLOAD_INVALID' },
      });
    }
  });

  it('runs at most `concurrency` tasks at once, and of a listed queue as many as it says', async () => {
    const plugin = await open({ concurrency: 3, queues: { narrow: 1 } });
    let running = 0;
    const most: Record<string, number> = {};
    const task = (queue: string) => async (): Promise<void> => {
      running += 1;
      most[queue] = Math.max(most[queue] ?? 0, running);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running -= 1;
    };
    await plugin.registerTask('wide', task('wide'));
    const wide = await plugin.submitTasks(Array.from({ length: 9 }, () => ({ name: 'wide' })));
    await Promise.all(wide.map((id) => plugin.getResult(id)));
    await plugin.registerTask('narrow', task('narrow'));
    const narrow = await plugin.submitTasks(Array.from({ length: 5 }, () => ({ name: 'narrow', queue: 'narrow' })));
    await Promise.all(narrow.map((id) => plugin.getResult(id)));
    expect(most).toEqual({ wide: 3, narrow: 1 });
  });

  it('a handler that ignores its time limit fails for who waits, and keeps its place', async () => {
    const plugin = await open({ killGrace: 50, concurrency: 1 });
    let finish = (): void => undefined;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    await plugin.registerTask('stubborn', () => gate, { timeLimit: 50, retry: { attempts: 5 } });
    const taskId = await plugin.submitTask('stubborn');
    await expect(plugin.getResult(taskId, { timeout: 5_000 })).rejects.toMatchObject({
      code: 'TASK_FAILED',
      details: { type: 'TimeLimitExceeded', message: expect.stringMatching(/still runs/) as string },
    });
    expect((await plugin.workers())[0]).toMatchObject({ active: 1, concurrency: 1 });
    finish();
    await eventually(async () => (await plugin.workers())[0]?.active === 0, 'the place is free again');
    expect(await plugin.getStatus(taskId)).toMatchObject({ state: 'FAILURE', attempt: 1 });
  });

  it('a task that runs at shutdown gets its signal, and runs again at the next start', async () => {
    const plugin = await open();
    let reason: unknown;
    await plugin.registerTask('long', ({ signal }) => {
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
          reject(new Error('stopped'));
        });
      });
    });
    const taskId = await plugin.submitTask('long');
    await eventually(async () => (await plugin.getStatus(taskId)).state === 'STARTED', 'it starts');
    await plugin.shutdown();
    expect(reason).toMatchObject({ code: 'CLOSED' });
    const reopened = await open();
    await reopened.registerTask('long', ({ attempt }) => attempt);
    expect(await reopened.getResult(taskId)).toBe(2);
  });

  it('tells in its health what waits, runs and failed', async () => {
    const plugin = await open();
    await plugin.submitTask('nobody');
    await plugin.submitTask('nobody', { countdown: 60_000 });
    const { healthy, details } = await plugin.healthCheck();
    expect(healthy).toBe(true);
    expect(details).toMatchObject({ waiting: 1, delayed: 1, active: 0, failed: 0, workers: 1 });
  });
});
