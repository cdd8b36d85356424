import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openStore } from '../../../embedded/store.js';
import type { LocalDataStreamOptions } from './local.options.js';
import { LocalDataStreamPlugin } from './local.plugin.js';
import { migrations } from './stream-schema.js';
import { StreamStore } from './stream-store.js';

describe('local datastream', () => {
  let folder: string;
  const plugins: LocalDataStreamPlugin[] = [];
  const plugin = (options: Partial<LocalDataStreamOptions> = {}): LocalDataStreamPlugin => {
    const made = new LocalDataStreamPlugin({ dataDir: folder, ...options });
    plugins.push(made);
    return made;
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-stream-'));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(plugins.splice(0).map((made) => made.shutdown()));
    await rm(folder, { recursive: true });
  });

  it('needs no options, and refuses wrong ones', () => {
    expect(new LocalDataStreamPlugin().supports.durable).toBe(true);
    expect(() => new LocalDataStreamPlugin({ maxPayloadBytes: 0 })).toThrowError(/maxPayloadBytes/);
  });

  it('keeps a second plugin off its folder until it is shut down', async () => {
    const [first, second] = [plugin(), plugin()];
    await first.initialize();
    await expect(second.initialize()).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    await first.shutdown();
    await second.initialize();
    expect((await second.healthCheck()).healthy).toBe(true);
  });

  it('creates the queues of its configuration; another declaration fails the start and leaves nothing open', async () => {
    const first = plugin({ queues: [{ name: 'orders', maxLength: 5 }, { name: 'events' }] });
    await first.initialize();
    await first.createQueue('orders', { maxLength: 5 });
    await first.sendData('events', 1);
    await first.shutdown();
    const other = plugin({ queues: [{ name: 'orders', maxLength: 6 }] });
    await expect(other.initialize()).rejects.toMatchObject({ code: 'CONFLICT', details: { option: 'maxLength' } });
    const third = plugin({ queues: [{ name: 'orders', maxLength: 5 }] });
    await third.initialize();
    expect((await third.queueInfo('events')).ready).toBe(1);
  });

  it('opens a store of the first schema', async () => {
    const old = openStore({
      dataDir: folder,
      durability: 'process',
      file: 'stream.db',
      migrations: migrations.slice(0, 1),
    });
    old.db.exec(`INSERT INTO queue VALUES (1, 'orders', NULL, NULL, 20);
      INSERT INTO queue_count VALUES (1, 0, 0), (1, 1, 0), (1, 2, 0), (1, 3, 0);
      INSERT INTO message (seq, queue_id, priority, position, message_id, encoding, body, headers, sent_at)
        VALUES (1, 1, 0, 1, 'm-1', 'json', '"kept"', '{}', 1)`);
    old.close();
    const stream = plugin();
    await stream.initialize();
    expect(await stream.pullData('orders')).toMatchObject({ messageId: 'm-1', payload: 'kept', attempt: 1 });
  });

  it('refuses payloads above maxPayloadBytes, counted in bytes as they are stored', async () => {
    const small = plugin({ maxPayloadBytes: 10, queues: [{ name: 'orders' }] });
    await small.initialize();
    await small.sendData('orders', 'x'.repeat(8));
    await small.sendData('orders', new Uint8Array(10));
    await expect(small.sendData('orders', 'ü'.repeat(5))).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      details: { bytes: 12, maxPayloadBytes: 10 },
    });
    await expect(small.sendData('orders', new Uint8Array(11))).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
  });

  it('commits concurrent sends together, and a full queue refuses only those that do not fit', async () => {
    const stream = plugin({ queues: [{ name: 'small', maxLength: 3 }, { name: 'wide' }] });
    await stream.initialize();
    const transaction = vi.spyOn(StreamStore.prototype, 'transaction');
    const results = await Promise.allSettled([
      ...[1, 2, 3, 4, 5].map((payload) => stream.sendData('small', payload)),
      stream.sendData('wide', 'fits'),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected', 'fulfilled'],
    ]);
    const outer = transaction.mock.results.length - 4;
    expect(outer, 'one transaction around four inserts').toBe(1);
  });

  it('a store that fails turns health off; the consumer goes on when it works again and nothing is lost', async () => {
    const stream = plugin({ queues: [{ name: 'orders' }] });
    await stream.initialize();
    const failTake = vi.spyOn(StreamStore.prototype, 'take').mockImplementationOnce(() => {
      throw new Error('disk I/O error');
    });
    const handled: unknown[] = [];
    await stream.subscribe('orders', ({ payload }) => void handled.push(payload), { name: 'billing' });
    await vi.waitFor(() => expect(failTake).toHaveBeenCalled());
    const sick = await stream.healthCheck();
    expect(sick.healthy).toBe(false);
    expect(sick.details['message']).toContain('"billing" cannot take messages: disk I/O error');

    const failAck = vi.spyOn(StreamStore.prototype, 'ack').mockImplementationOnce(() => {
      throw new Error('database or disk is full');
    });
    await stream.sendData('orders', 1);
    await vi.waitFor(() => expect(failAck).toHaveBeenCalledTimes(2), 5_000);
    expect(handled).toEqual([1]);
    expect((await stream.queueInfo('orders')).unacked).toBe(0);
    expect((await stream.healthCheck()).healthy).toBe(true);
  });

  it('a backlog does not starve the event loop', async () => {
    const stream = plugin({ queues: [{ name: 'orders' }] });
    await stream.initialize();
    await stream.sendBatch(
      'orders',
      Array.from({ length: 2_000 }, (_, payload) => ({ payload })),
    );
    let handled = 0;
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 1);
    await stream.subscribe('orders', () => void (handled += 1));
    await vi.waitFor(() => expect(handled).toBe(2_000), 15_000);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(10);
  });
});
