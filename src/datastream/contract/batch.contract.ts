import assert from 'node:assert/strict';
import { contractSubject, eventually, type ContractHarness, type ContractRunner } from '../../core/contract.js';
import type { DataStreamPlugin } from '../datastream.plugin.js';
import { gate, numbers, workedOff } from './fixtures.js';

/** Consumers of batches. */
export function batchContract(runner: ContractRunner, harness: ContractHarness<DataStreamPlugin>): void {
  runner.describe('subscribeBatch', () => {
    const subject = contractSubject(runner, harness);
    runner.beforeEach(async () => {
      await subject.plugin.createQueue('orders');
    });
    const settled = (deadLetters = 0): Promise<void> => workedOff(subject.plugin, deadLetters);

    runner.it('by size: a full batch comes at once, in order, never larger', async () => {
      const { plugin } = subject;
      await plugin.sendBatch('orders', numbers(0, 25));
      const batches: unknown[][] = [];
      const begin = Date.now();
      await plugin.subscribeBatch('orders', (messages) => void batches.push(messages.map(({ payload }) => payload)), {
        size: 10,
        maxWait: 1_500,
      });
      await eventually(() => batches.length === 2, 'two full batches');
      assert.ok(Date.now() - begin < 1_400, 'full batches do not wait');
      await settled();
      assert.deepEqual(
        batches.map(({ length }) => length),
        [10, 10, 5],
      );
      assert.deepEqual(
        batches.flat(),
        Array.from({ length: 25 }, (_, index) => index),
      );
    });

    runner.it('by time: the wait counts from the first message, whatever comes after it', async () => {
      const { plugin } = subject;
      let came: { at: number; size: number } | undefined;
      await plugin.subscribeBatch('orders', ({ length }) => void (came ??= { at: Date.now(), size: length }), {
        size: 1_000,
        maxWait: 400,
      });
      const begin = Date.now();
      // A wait that each message starts anew would never end here.
      while (came === undefined && Date.now() - begin < 5_000) {
        await plugin.sendData('orders', 1);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.ok(came, 'the batch came');
      assert.ok(came.at - begin >= 350, `it came after ${came.at - begin} ms`);
      assert.ok(came.at - begin < 2_000, `it came after ${came.at - begin} ms`);
      assert.ok(came.size > 1, 'it holds those that came meanwhile');
    });

    runner.it('one batch at a time', async () => {
      const { plugin } = subject;
      let running = 0;
      let most = 0;
      let handled = 0;
      await plugin.subscribeBatch(
        'orders',
        async ({ length }) => {
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setTimeout(resolve, 20));
          running -= 1;
          handled += length;
        },
        { size: 2, maxWait: 10, name: 'pairs' },
      );
      await plugin.sendBatch('orders', numbers(0, 10));
      await eventually(() => handled === 10, 'all are handled');
      assert.equal(most, 1);
      await settled();
    });

    runner.it('a batch that fails: each message is tried again and then a dead letter', async () => {
      const { plugin } = subject;
      const attempts: number[] = [];
      await plugin.subscribeBatch(
        'orders',
        async (messages) => {
          attempts.push(...messages.map(({ attempt }) => attempt));
          throw new Error('database is down');
        },
        { size: 3, maxWait: 50, retry: { attempts: 2, delay: 50 } },
      );
      await plugin.sendBatch('orders', numbers(0, 3));
      await settled(3);
      assert.deepEqual(attempts.sort(), [1, 1, 1, 2, 2, 2]);
      for (const letter of await plugin.peekDeadLetters('orders')) {
        assert.deepEqual([letter.reason, letter.detail], ['failed', 'database is down']);
      }
    });

    runner.it('pause, resume and close', async () => {
      const { plugin } = subject;
      const { opened, open } = gate();
      let handled = 0;
      const subscription = await plugin.subscribeBatch(
        'orders',
        async ({ length }) => {
          await opened;
          handled += length;
        },
        { size: 2, maxWait: 20 },
      );
      await subscription.pause();
      await plugin.sendBatch('orders', numbers(0, 4));
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal((await plugin.queueInfo('orders')).ready + (await plugin.queueInfo('orders')).unacked, 4);
      await subscription.resume();
      await eventually(async () => (await plugin.queueInfo('orders')).unacked >= 2, 'a batch is in hand');
      const closing = subscription.close();
      open();
      await closing;
      assert.equal(handled, 2);
      await eventually(async () => (await plugin.queueInfo('orders')).ready === 2, 'the others are ready');
      assert.equal(subscription.state, 'closed');
    });
  });
}
