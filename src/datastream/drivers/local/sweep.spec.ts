import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../core/contract.js';
import { sealMessage } from '../../datastream.validation.js';
import { LocalDataStreamPlugin } from './local.plugin.js';
import { StreamStore, type StoredQueue } from './stream-store.js';

const EXPIRED = 2_500;
const LIMIT = 1_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a backlog of messages that are due at once', () => {
  let folder: string;
  let store: StreamStore;
  let queue: StoredQueue;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-sweep-'));
    store = new StreamStore({ dataDir: folder, durability: 'process' });
    queue = store.addQueue('orders', { maxLength: null, messageTtl: null, deliveryLimit: 20 });
  });
  afterEach(async () => {
    store.close();
    await rm(folder, { recursive: true });
  });
  const insert = (count: number, expiration?: number): void => {
    const rules = { maxPayloadBytes: 100, priority: true, source: {} };
    const message = { payload: expiration ?? 'lives', ...(expiration === undefined ? {} : { expiration }) };
    store.insert(
      queue,
      Array.from({ length: count }, () => sealMessage(message, rules)),
    );
  };

  it('one sweep moves 1000 expired ones; those that it leaves are not delivered and not flushed', async () => {
    insert(EXPIRED, 1);
    insert(1);
    await pause(10);
    const now = Date.now();
    store.sweep(now);
    expect(store.counts(queue)).toMatchObject({ ready: EXPIRED + 1 - LIMIT, deadLetters: LIMIT });
    expect(store.nextSweep()).toBeLessThanOrEqual(now);
    expect(store.take(queue, 10, true).map(({ body }) => body)).toEqual(['"lives"']);
    expect(store.flush(queue)).toBe(0);
    store.sweep(now);
    store.sweep(now);
    expect(store.counts(queue)).toMatchObject({ ready: 0, deadLetters: EXPIRED });
  });

  it('one sweep wakes 1000 delayed ones', () => {
    insert(EXPIRED);
    const taken = store.take(queue, EXPIRED, false);
    store.transaction(() => taken.forEach((message) => store.release(queue, message, 1, false)));
    const later = Date.now() + 1_000;
    expect(store.sweep(later)).toEqual([queue.id]);
    expect(store.counts(queue)).toMatchObject({ ready: LIMIT, delayed: EXPIRED - LIMIT });
  });

  it('the plugin sweeps on by itself', async () => {
    insert(EXPIRED, 1);
    store.close();
    await pause(10);
    const plugin = new LocalDataStreamPlugin({ dataDir: folder });
    await plugin.initialize();
    try {
      // Nothing is called in between: calls sweep too.
      await pause(500);
      await eventually(async () => (await plugin.queueInfo('orders')).deadLetters === EXPIRED, 'all are dead letters');
    } finally {
      await plugin.shutdown();
      store = new StreamStore({ dataDir: folder, durability: 'process' });
    }
  });
});
