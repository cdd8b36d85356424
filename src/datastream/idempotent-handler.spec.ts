import { describe, expect, it } from 'vitest';
import type { DataContext, Message } from './datastream.types.js';
import { LocalDataStreamPlugin } from './drivers/local/local.plugin.js';
import { idempotentBatchHandler, idempotentHandler, type HandledMessages } from './idempotent-handler.js';
import { MemoryHandledMessages } from './memory-handled-messages.js';
import { RejectMessage } from './reject-message.js';

const context: DataContext = { signal: new AbortController().signal };

function message(messageId: string): Message {
  const rest = { payload: messageId, headers: {}, correlationId: null, timestamp: 0, attempt: 1, redelivered: false };
  return { messageId, queue: 'orders', ...rest };
}

/** A door for a handler that has to be caught at work. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('idempotentHandler', () => {
  it('handles a message id once, however often it comes', async () => {
    const seen: string[] = [];
    const store = new MemoryHandledMessages();
    const handler = idempotentHandler(({ messageId }) => void seen.push(messageId), { store });
    for (const id of ['a', 'b', 'a', 'b', 'c']) await handler(message(id), context);
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('skips duplicates of a real queue and acks them', async () => {
    const plugin = new LocalDataStreamPlugin({ dataDir: ':memory:' });
    await plugin.initialize();
    try {
      await plugin.createQueue('orders');
      const seen: unknown[] = [];
      const store = new MemoryHandledMessages();
      const handler = idempotentHandler(({ payload }) => void seen.push(payload), { store });
      await plugin.subscribe('orders', handler, { concurrency: 3 });
      await plugin.sendBatch(
        'orders',
        ['a', 'a', 'b', 'a'].map((messageId, payload) => ({ messageId, payload })),
      );
      await expect.poll(async () => (await plugin.queueInfo('orders')).ready, { timeout: 5_000 }).toBe(0);
      await plugin.drain();
      expect(seen).toEqual([0, 2]);
      expect(await plugin.queueInfo('orders')).toMatchObject({ unacked: 0, deadLetters: 0 });
    } finally {
      await plugin.shutdown();
    }
  });

  it('remembers an id only after the handler has succeeded', async () => {
    let calls = 0;
    const store = new MemoryHandledMessages();
    const handler = idempotentHandler(
      async () => {
        calls += 1;
        expect(store.has('a')).toBe(false);
        if (calls === 1) throw new Error('database is down');
      },
      { store },
    );
    await expect(handler(message('a'), context)).rejects.toThrow('database is down');
    await handler(message('a'), context);
    await handler(message('a'), context);
    expect(calls).toBe(2);
  });

  it.each([
    ['success', undefined],
    ['failure', new RejectMessage('never')],
  ])('a second delivery at the same time shares the %s of the first', async (_, error) => {
    const { opened, open } = gate();
    let calls = 0;
    const handler = idempotentHandler(
      async () => {
        calls += 1;
        await opened;
        if (error !== undefined) throw error;
      },
      { store: new MemoryHandledMessages() },
    );
    const both = Promise.allSettled([handler(message('a'), context), handler(message('a'), context)]);
    open();
    const ends = await both;
    const expected = error === undefined ? { status: 'fulfilled' } : { status: 'rejected', reason: error };
    expect(ends).toEqual([expect.objectContaining(expected), expect.objectContaining(expected)]);
    expect(calls).toBe(1);
  });

  it('fails when the store fails, so that the message is retried', async () => {
    const broken = (method: 'has' | 'add'): HandledMessages => ({
      has: () => false,
      add: () => undefined,
      [method]: async () => Promise.reject(new Error(`${method} failed`)),
    });
    for (const method of ['has', 'add'] as const) {
      const handler = idempotentHandler(() => undefined, { store: broken(method) });
      await expect(handler(message('a'), context)).rejects.toThrow(`${method} failed`);
    }
  });

  it('handlers of different names share a store', async () => {
    const store = new MemoryHandledMessages();
    const seen: string[] = [];
    for (const name of ['billing', 'audit', 'billing']) {
      await idempotentHandler(() => void seen.push(name), { store, name })(message('a'), context);
    }
    expect(seen).toEqual(['billing', 'audit']);
    expect(store.has('billing:a')).toBe(true);
  });
});

describe('idempotentBatchHandler', () => {
  it('hands over what was not handled, each id once, and nothing when there is nothing', async () => {
    const batches: string[][] = [];
    const handler = idempotentBatchHandler((messages) => void batches.push(messages.map((one) => one.messageId)), {
      store: new MemoryHandledMessages(),
    });
    for (const ids of ['ab', 'bcc', 'abc']) await handler([...ids].map(message), context);
    expect(batches).toEqual([['a', 'b'], ['c']]);
  });

  it('waits for a batch with the same id, and fails with it', async () => {
    const { opened, open } = gate();
    const batches: string[] = [];
    const handler = idempotentBatchHandler(
      async (messages) => {
        batches.push(messages.map((one) => one.messageId).join(''));
        if (messages[0]?.messageId !== 'a') return;
        await opened;
        throw new RejectMessage('never');
      },
      { store: new MemoryHandledMessages() },
    );
    const both = Promise.allSettled([
      handler([message('a'), message('b')], context),
      handler([message('c'), message('b')], context),
    ]);
    open();
    const [first, second] = await both;
    expect(first).toMatchObject({ status: 'rejected', reason: { message: 'never' } });
    // The verdict on the first batch does not reject the second: its messages come again.
    expect(second).toMatchObject({ status: 'rejected', reason: { message: 'a duplicate failed: never' } });
    expect(RejectMessage.is((second as PromiseRejectedResult).reason)).toBe(false);
    expect(batches).toEqual(['ab', 'c']);
    await handler([message('c'), message('b')], context);
    expect(batches).toEqual(['ab', 'c', 'b']);
  });

  it("remembers the others of a RejectMessage with others: 'ack'", async () => {
    const store = new MemoryHandledMessages();
    const handler = idempotentBatchHandler(
      () => {
        throw new RejectMessage('of no use', { messageIds: ['a'], others: 'ack' });
      },
      { store },
    );
    await expect(handler([message('a'), message('b')], context)).rejects.toThrow('of no use');
    expect([store.has('a'), store.has('b')]).toEqual([false, true]);
  });
});

describe('MemoryHandledMessages', () => {
  it('forgets the id that was not asked for longest', () => {
    const store = new MemoryHandledMessages({ max: 3 });
    for (const id of ['a', 'b', 'c']) store.add(id);
    expect(store.has('a')).toBe(true);
    store.add('d');
    store.add('d');
    expect(['a', 'b', 'c', 'd'].filter((id) => store.has(id))).toEqual(['a', 'c', 'd']);
  });

  it('a max that makes no sense is INVALID_ARGUMENT', () => {
    for (const max of [0, 1.5, Number.NaN]) {
      expect(() => new MemoryHandledMessages({ max })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    }
  });
});
