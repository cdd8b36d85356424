import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventually } from '../../../core/contract.js';
import { HubError } from '../../../core/errors.js';
import { Redactor } from '../../../core/redact.js';
import { gate } from '../../contract/fixtures.js';
import { LocalDataStreamPlugin } from './local.plugin.js';
import { StreamStore } from './stream-store.js';

describe('what the local datastream logs', () => {
  let plugin: LocalDataStreamPlugin;
  const lines: string[] = [];
  const linesOf = (level: string): string[] => lines.filter((line) => line.startsWith(`${level} `));

  beforeEach(async () => {
    lines.length = 0;
    for (const level of ['log', 'warn', 'error'] as const) {
      vi.spyOn(Logger.prototype, level).mockImplementation((message: unknown) => {
        lines.push(`${level} ${String(message)}`);
      });
    }
    plugin = new LocalDataStreamPlugin({ dataDir: ':memory:', queues: [{ name: 'orders', deliveryLimit: 2 }] });
    plugin.hideSecrets(new Redactor(['s3cret']));
    await plugin.initialize();
  });
  afterEach(async () => {
    await plugin.shutdown();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it('a fault once when it comes, and when it has gone', async () => {
    const take = vi.spyOn(StreamStore.prototype, 'take').mockImplementation(() => {
      throw new Error('disk I/O error');
    });
    await plugin.subscribe('orders', () => undefined, { name: 'billing' });
    await eventually(() => take.mock.calls.length >= 2, 'it is tried again');
    expect(linesOf('error')).toEqual([
      'error the subscription "billing" of queue "orders" cannot take messages: disk I/O error. It goes on trying.',
    ]);
    take.mockRestore();
    await eventually(() => linesOf('log').length > 0, 'it works again');
    expect(linesOf('log')).toEqual(['log the subscription "billing" of queue "orders" can take messages again.']);
  });

  it('a fault of settling stays while messages can be taken', async () => {
    const ack = vi.spyOn(StreamStore.prototype, 'ack').mockImplementation(() => {
      throw new Error('database or disk is full');
    });
    await plugin.subscribe('orders', () => undefined, { name: 'billing', concurrency: 2 });
    await plugin.sendData('orders', 1);
    await eventually(() => ack.mock.calls.length > 0, 'the ack fails');
    const take = vi.spyOn(StreamStore.prototype, 'take');
    await plugin.sendData('orders', 2);
    await eventually(() => take.mock.calls.length > 0, 'the other slot takes');
    const { healthy, details } = await plugin.healthCheck();
    expect(healthy).toBe(false);
    expect(details['message']).toContain('"billing" cannot settle messages: database or disk is full');
  });

  it('each message that becomes a dead letter, without secrets', async () => {
    await plugin.subscribe('orders', ({ payload }) => {
      throw new Error(`${String(payload)} is wrong: s3cret`);
    });
    await plugin.sendData('orders', 'a', { messageId: 'm-1' });
    await eventually(() => linesOf('warn').length > 0, 'it is logged');
    expect(linesOf('warn')).toEqual([
      'warn queue "orders": message m-1 became a dead letter at attempt 1: a is wrong: [redacted]',
    ]);
  });

  it('a message that reaches its deliveryLimit; a settlement without effect is not told', async () => {
    await plugin.sendData('orders', 'a', { messageId: 'm-2' });
    const first = await plugin.pullData('orders');
    await first?.requeue();
    await (await plugin.pullData('orders'))?.requeue();
    await first?.reject('too late');
    expect(linesOf('warn')).toEqual([expect.stringMatching(/message m-2 .* attempt 2: delivered 2 time/)]);
  });

  it('a handler that runs for more than 60 s, once', async () => {
    const { opened, open } = gate();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
    let runs = false;
    await plugin.subscribe('orders', () => {
      runs = true;
      return opened;
    });
    await plugin.sendData('orders', 'a', { messageId: 'm-3' });
    await vi.waitUntil(() => runs);
    vi.advanceTimersByTime(59_000);
    expect(linesOf('warn')).toEqual([]);
    vi.advanceTimersByTime(120_000);
    expect(linesOf('warn')).toEqual([expect.stringMatching(/runs for more than 60000 ms: message m-3, attempt 1/)]);
    open();
  });
});

describe('a handler that gives up because its subscription closes', () => {
  it.each(['ABORTED', 'CLOSED'] as const)('with %s: the message comes again, and no retry is used up', async (code) => {
    const plugin = new LocalDataStreamPlugin({ dataDir: ':memory:', queues: [{ name: 'orders', deliveryLimit: 3 }] });
    await plugin.initialize();
    try {
      const { opened, open } = gate();
      let runs = false;
      const closing = await plugin.subscribe('orders', async () => {
        runs = true;
        await opened;
        throw new HubError(code, 'everything closes.');
      });
      await plugin.sendData('orders', 'a');
      await eventually(() => runs, 'the handler runs');
      const closed = closing.close();
      open();
      await closed;
      expect(await plugin.queueInfo('orders')).toMatchObject({ ready: 1, deadLetters: 0 });

      const attempts: number[] = [];
      const fail = ({ attempt }: { attempt: number }): void => {
        attempts.push(attempt);
        throw new HubError(code, 'on its own.');
      };
      await plugin.subscribe('orders', fail, { retry: { attempts: 2, delay: 1 } });
      await eventually(async () => (await plugin.queueInfo('orders')).deadLetters === 1, 'the retries are used up');
      expect(attempts, 'two real failures after the spared one').toEqual([2, 3]);
      expect(await plugin.peekDeadLetters('orders')).toMatchObject([{ reason: 'failed' }]);
    } finally {
      await plugin.shutdown();
    }
  });

  it('is bounded by the deliveryLimit', async () => {
    const plugin = new LocalDataStreamPlugin({ dataDir: ':memory:', queues: [{ name: 'orders', deliveryLimit: 1 }] });
    await plugin.initialize();
    try {
      const { opened, open } = gate();
      let runs = false;
      const closing = await plugin.subscribe('orders', async () => {
        runs = true;
        await opened;
        throw new HubError('CLOSED', 'everything closes.');
      });
      await plugin.sendData('orders', 'a');
      await eventually(() => runs, 'the handler runs');
      const closed = closing.close();
      open();
      await closed;
      expect(await plugin.peekDeadLetters('orders')).toMatchObject([{ reason: 'delivery-limit', attempt: 1 }]);
    } finally {
      await plugin.shutdown();
    }
  });
});
