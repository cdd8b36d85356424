import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../core/contract.js';
import { normalizeSubmission } from '../../taskqueue.validation.js';
import { LocalTaskQueuePlugin } from './local.plugin.js';
import { TaskStore } from './task-store.js';

const TASKS = 2_500;
const LIMIT = 1_000;

describe('a backlog of tasks that are due at once', () => {
  let folder: string;
  let store: TaskStore;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'taskqueue-backlog-'));
    store = new TaskStore({ dataDir: folder, durability: 'process' }, 60_000);
  });
  afterEach(async () => {
    store.close();
    await rm(folder, { recursive: true });
  });
  const insert = (count: number, times: { countdown?: number; expires?: number }, now: number): void => {
    const supports = new LocalTaskQueuePlugin().supports;
    const rules = { supports, maxPayloadBytes: 1_000, source: {} };
    const tasks = Array.from({ length: count }, () => normalizeSubmission({ name: 'due', ...times }, rules, now));
    store.insert(tasks, 'default', now);
  };

  it('one look makes 1000 delayed ones ready', () => {
    const now = Date.now();
    insert(TASKS, { countdown: 10 }, now);
    store.promote(now + 10);
    expect(store.counts()).toMatchObject({ waiting: LIMIT, delayed: TASKS - LIMIT });
    expect(store.nextTime()).toBe(now + 10);
  });

  it('one look revokes 1000 expired ones; those that it leaves do not start', () => {
    const now = Date.now();
    insert(TASKS, { expires: 10 }, now);
    insert(1, {}, now);
    expect(store.expire(now + 10)).toHaveLength(LIMIT);
    expect(store.nextTime()).toBe(now + 10);
    expect(store.candidates('due', 10, [], now + 10).map(({ seq }) => seq)).toEqual([TASKS + 1]);
    expect([store.expire(now + 10).length, store.expire(now + 10).length]).toEqual([LIMIT, TASKS - 2 * LIMIT]);
  });

  it('the plugin works it off by itself', async () => {
    insert(TASKS, { countdown: 1 }, Date.now());
    insert(TASKS, { countdown: 60_000, expires: 1 }, Date.now());
    store.close();
    const plugin = new LocalTaskQueuePlugin({ dataDir: folder });
    await plugin.initialize();
    try {
      const counts = async (): Promise<unknown> => (await plugin.healthCheck()).details;
      await eventually(async () => {
        const { waiting, delayed } = (await counts()) as { waiting: number; delayed: number };
        return waiting === TASKS && delayed === 0;
      }, 'all are ready or revoked');
    } finally {
      await plugin.shutdown();
      store = new TaskStore({ dataDir: folder, durability: 'process' }, 60_000);
    }
  });
});
