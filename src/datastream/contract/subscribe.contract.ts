import assert from 'node:assert/strict';
import {
  contractSubject,
  eventually,
  rejectsWith,
  type ContractHarness,
  type ContractRunner,
} from '../../core/contract.js';
import type { DataStreamPlugin } from '../datastream.plugin.js';
import type { Message, Subscription } from '../datastream.types.js';
import { gate, numbers, workedOff } from './fixtures.js';

/** Consumers of single messages. */
export function subscribeContract(runner: ContractRunner, harness: ContractHarness<DataStreamPlugin>): void {
  runner.describe('subscribe', () => {
    const subject = contractSubject(runner, harness);
    runner.beforeEach(async () => {
      await subject.plugin.createQueue('orders');
    });
    const settled = (deadLetters = 0): Promise<void> => workedOff(subject.plugin, deadLetters);

    runner.it('hands over what is there and what comes, in order, and acks it', async () => {
      const { plugin } = subject;
      await plugin.sendBatch('orders', numbers(0, 50));
      const seen: unknown[] = [];
      const subscription = await plugin.subscribe('orders', async ({ payload }) => {
        await Promise.resolve();
        seen.push(payload);
      });
      assert.equal(subscription.state, 'running');
      assert.equal(subscription.queue, 'orders');
      assert.equal(subscription.name, 'orders');
      await plugin.sendBatch('orders', numbers(50, 50));
      await eventually(() => seen.length === 100, 'all are handed over');
      assert.deepEqual(
        seen,
        Array.from({ length: 100 }, (_, index) => index),
      );
      await settled();
    });

    runner.it('gives the whole message and a signal to the handler, which may be synchronous', async () => {
      const { plugin } = subject;
      const seen: { message: Message; signal: AbortSignal }[] = [];
      await plugin.subscribe('orders', (message, { signal }) => void seen.push({ message, signal }), { name: 'mine' });
      await plugin.sendData('orders', new Uint8Array([7]), { messageId: 'b', headers: { h: 1 }, correlationId: 'c' });
      await eventually(() => seen.length === 1, 'it is handed over');
      const [{ message, signal } = assert.fail('nothing')] = seen;
      const { messageId, queue, headers, correlationId, attempt, redelivered } = message;
      assert.deepEqual(
        { messageId, queue, headers, correlationId, attempt, redelivered },
        { messageId: 'b', queue: 'orders', headers: { h: 1 }, correlationId: 'c', attempt: 1, redelivered: false },
      );
      assert.deepEqual([...(message.payload as Uint8Array)], [7]);
      assert.equal(signal.aborted, false);
    });

    runner.it('concurrency is how many handlers run, and prefetch how many messages are held', async () => {
      const { plugin } = subject;
      await plugin.sendBatch('orders', numbers(0, 20));
      let running = 0;
      let most = 0;
      let held = 0;
      let done = 0;
      await plugin.subscribe(
        'orders',
        async () => {
          running += 1;
          most = Math.max(most, running);
          held = Math.max(held, (await plugin.queueInfo('orders')).unacked);
          await new Promise((resolve) => setTimeout(resolve, 20));
          running -= 1;
          done += 1;
        },
        { concurrency: 3, prefetch: 4 },
      );
      await eventually(() => done === 20, 'all are handled');
      assert.equal(most, 3);
      assert.ok(held <= 4, `${held} messages were held`);
    });

    runner.it('two subscriptions share the work: each message goes to one of them', async () => {
      const { plugin } = subject;
      const seen: unknown[] = [];
      const handler = async ({ payload }: Message): Promise<void> => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        seen.push(payload);
      };
      await plugin.subscribe('orders', handler);
      await plugin.subscribe('orders', handler);
      assert.equal((await plugin.queueInfo('orders')).consumers, 2);
      await plugin.sendBatch('orders', numbers(0, 40));
      await settled();
      assert.deepEqual(
        seen.map(Number).sort((a, b) => a - b),
        Array.from({ length: 40 }, (_, index) => index),
      );
    });

    runner.it('a handler that throws: by default one attempt, then a dead letter with its words', async () => {
      const { plugin } = subject;
      let calls = 0;
      await plugin.subscribe('orders', () => {
        calls += 1;
        throw new Error('no such customer');
      });
      await plugin.sendData('orders', 1);
      await settled(1);
      assert.equal(calls, 1);
      const [letter] = await plugin.peekDeadLetters('orders');
      assert.equal(letter?.reason, 'failed');
      assert.equal(letter?.detail, 'no such customer');
    });

    runner.it('retry: delivered again after the delay, with the next attempt, until it succeeds', async () => {
      const { plugin } = subject;
      const attempts: [attempt: number, redelivered: boolean, at: number][] = [];
      await plugin.subscribe(
        'orders',
        async ({ attempt, redelivered }) => {
          attempts.push([attempt, redelivered, Date.now()]);
          if (attempt < 3) throw new Error('not yet');
        },
        { retry: { attempts: 5, delay: 100, factor: 2 } },
      );
      await plugin.sendData('orders', 1);
      await eventually(() => attempts.length === 3, 'the third attempt');
      await settled();
      assert.deepEqual(
        attempts.map(([attempt, redelivered]) => [attempt, redelivered]),
        [
          [1, false],
          [2, true],
          [3, true],
        ],
      );
      const [first = 0, second = 0, third = 0] = attempts.map(([, , at]) => at);
      assert.ok(second - first >= 95, `the first wait took ${second - first} ms`);
      assert.ok(third - second >= 190, `the second wait took ${third - second} ms`);
    });

    runner.it('retry: after the last attempt it is a dead letter, and others are not held up meanwhile', async () => {
      const { plugin } = subject;
      const seen: unknown[] = [];
      await plugin.subscribe(
        'orders',
        ({ payload }) => {
          seen.push(payload);
          if (payload === 'bad') throw new Error('always');
        },
        { retry: { attempts: 3, delay: 50 } },
      );
      await plugin.sendBatch('orders', [{ payload: 'bad' }, { payload: 'good' }]);
      await settled(1);
      assert.deepEqual(seen, ['bad', 'good', 'bad', 'bad']);
      const [letter] = await plugin.peekDeadLetters('orders');
      assert.deepEqual([letter?.reason, letter?.detail, letter?.attempt], ['failed', 'always', 3]);
    });

    runner.it('retry stops at the deliveryLimit of the queue', async () => {
      const { plugin } = subject;
      await plugin.createQueue('limited', { deliveryLimit: 2 });
      let calls = 0;
      const handler = (): void => {
        calls += 1;
        throw new Error('always');
      };
      await plugin.subscribe('limited', handler, { retry: { attempts: 10, delay: 10, factor: 1 } });
      await plugin.sendData('limited', 1);
      await eventually(async () => (await plugin.queueInfo('limited')).deadLetters === 1, 'it is a dead letter');
      assert.equal(calls, 2);
      assert.equal((await plugin.peekDeadLetters('limited'))[0]?.reason, 'delivery-limit');
    });

    runner.it('pause takes nothing more, resume goes on', async () => {
      const { plugin } = subject;
      const seen: unknown[] = [];
      const subscription = await plugin.subscribe('orders', ({ payload }) => void seen.push(payload));
      await plugin.sendData('orders', 1);
      await settled();
      await subscription.pause();
      assert.equal(subscription.state, 'paused');
      await plugin.sendData('orders', 2);
      await new Promise((resolve) => setTimeout(resolve, 150));
      assert.deepEqual(seen, [1]);
      await subscription.resume();
      assert.equal(subscription.state, 'running');
      await settled();
      assert.deepEqual(seen, [1, 2]);
    });

    runner.it('close waits for the handler, gives back the rest, and is final', async () => {
      const { plugin } = subject;
      await plugin.sendBatch('orders', numbers(0, 5));
      const { opened, open } = gate();
      const seen: unknown[] = [];
      const subscription = await plugin.subscribe(
        'orders',
        async ({ payload }) => {
          seen.push(payload);
          await opened;
        },
        { prefetch: 3 },
      );
      await eventually(() => seen.length === 1, 'the handler runs');
      let closed = false;
      const closing = subscription.close().then(() => {
        closed = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(closed, false);
      open();
      await closing;
      await subscription.close();
      await subscription.resume();
      assert.equal(subscription.state, 'closed');
      assert.deepEqual(seen, [0]);
      await eventually(async () => {
        const { ready, unacked, consumers } = await plugin.queueInfo('orders');
        return ready === 4 && unacked === 0 && consumers === 0;
      }, 'the others are ready again');
      const next = await plugin.pullData('orders', { wait: 5_000 });
      assert.equal(next?.payload, 1);
    });

    runner.it('a handler may close its own subscription', async () => {
      const { plugin } = subject;
      const holder: { subscription?: Subscription } = {};
      holder.subscription = await plugin.subscribe('orders', async () => {
        await holder.subscription?.close();
      });
      await plugin.sendData('orders', 1);
      await settled();
      assert.equal(holder.subscription.state, 'closed');
    });

    runner.it('options that make no sense are INVALID_ARGUMENT', async () => {
      const { plugin } = subject;
      const nothing = (): void => undefined;
      for (const options of [{ prefetch: 0 }, { concurrency: 0 }, { concurrency: 1.5 }, { retry: { attempts: 0 } }]) {
        await rejectsWith(() => plugin.subscribe('orders', nothing, options), 'INVALID_ARGUMENT');
      }
      for (const options of [{ size: 0 }, { size: 1, maxWait: -1 }]) {
        await rejectsWith(() => plugin.subscribeBatch('orders', nothing, options), 'INVALID_ARGUMENT');
      }
      assert.equal((await plugin.queueInfo('orders')).consumers, 0);
    });
  });
}
