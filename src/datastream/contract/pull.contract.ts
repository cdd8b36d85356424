import assert from 'node:assert/strict';
import {
  contractSubject,
  eventually,
  rejectsWith,
  type ContractHarness,
  type ContractRunner,
} from '../../core/contract.js';
import type { DataStreamPlugin } from '../datastream.plugin.js';
import type { Delivery } from '../datastream.types.js';

/** Pulling and settling. */
export function pullContract(runner: ContractRunner, harness: ContractHarness<DataStreamPlugin>): void {
  runner.describe('pulling and settling', () => {
    const subject = contractSubject(runner, harness);
    runner.beforeEach(async () => {
      await subject.plugin.createQueue('orders');
    });
    const pull = async (): Promise<Delivery> => {
      const delivery = await subject.plugin.pullData('orders', { wait: 5_000 });
      assert.ok(delivery, 'there is a message');
      return delivery;
    };
    const counts = async (): Promise<number[]> => {
      const { ready, unacked, deadLetters } = await subject.plugin.queueInfo('orders');
      return [ready, unacked, deadLetters];
    };

    runner.it('an empty queue gives null or an empty array at once', async () => {
      assert.equal(await subject.plugin.pullData('orders'), null);
      assert.deepEqual(await subject.plugin.pullBatch('orders', { max: 5 }), []);
    });

    runner.it('wait ends with null when its time is over, and with the message as soon as there is one', async () => {
      const { plugin } = subject;
      const begin = Date.now();
      assert.equal(await plugin.pullData('orders', { wait: 100 }), null);
      assert.ok(Date.now() - begin >= 95);
      const waiting = plugin.pullData('orders', { wait: 15_000 });
      const batch = plugin.pullBatch('orders', { max: 5, wait: 15_000 });
      await plugin.sendData('orders', 'first');
      await plugin.sendData('orders', 'second');
      const received = [(await waiting)?.payload, ...(await batch).map(({ payload }) => payload)];
      assert.deepEqual(received.sort(), ['first', 'second']);
      assert.ok(Date.now() - begin < 14_000, 'it did not wait to the end');
    });

    runner.it('a signal ends the wait with ABORTED and takes no message', async () => {
      const { plugin } = subject;
      const controller = new AbortController();
      const waiting = plugin.pullData('orders', { wait: 15_000, signal: controller.signal });
      setTimeout(() => controller.abort(), 20);
      await rejectsWith(() => waiting, 'ABORTED');
      await plugin.sendData('orders', 1);
      await rejectsWith(() => plugin.pullBatch('orders', { max: 1, signal: AbortSignal.abort() }), 'ABORTED');
      assert.equal((await pull()).attempt, 1);
    });

    runner.it('options that make no sense are INVALID_ARGUMENT', async () => {
      const { plugin } = subject;
      await rejectsWith(() => plugin.pullBatch('orders', { max: 0 }), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.pullData('orders', { wait: -1 }), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.pullData('orders', { ack: 'maybe' as 'auto' }), 'INVALID_ARGUMENT');
    });

    runner.it('pullBatch takes at most max, in order', async () => {
      const { plugin } = subject;
      await plugin.sendBatch(
        'orders',
        [1, 2, 3, 4, 5].map((payload) => ({ payload })),
      );
      const first = await plugin.pullBatch('orders', { max: 3, wait: 5_000 });
      assert.deepEqual(
        first.map(({ payload }) => payload),
        [1, 2, 3],
      );
      const rest = await plugin.pullBatch('orders', { max: 10, wait: 5_000 });
      assert.deepEqual(
        rest.map(({ payload }) => payload),
        [4, 5],
      );
    });

    runner.it('a message in hand is not delivered to another; ack removes it', async () => {
      const { plugin } = subject;
      await plugin.sendData('orders', 1);
      const delivery = await pull();
      assert.equal(await plugin.pullData('orders', { wait: 50 }), null);
      assert.deepEqual(await counts(), [0, 1, 0]);
      await delivery.ack();
      await eventually(async () => (await counts()).join() === '0,0,0', 'the message is gone');
    });

    runner.it('automatic ack: removed as it is handed over, and settling it has no effect', async () => {
      const { plugin } = subject;
      await plugin.sendData('orders', 1);
      const delivery = await plugin.pullData('orders', { wait: 5_000, ack: 'auto' });
      await delivery?.requeue();
      await delivery?.reject('no');
      await eventually(async () => (await counts()).join() === '0,0,0', 'the message is gone');
    });

    runner.it('requeue: it comes again as redelivered, with the next attempt', async () => {
      await subject.plugin.sendData('orders', { a: 1 }, { messageId: 'x', headers: { h: 1 }, correlationId: 'c' });
      await (await pull()).requeue();
      const again = await pull();
      assert.equal(again.attempt, 2);
      assert.equal(again.redelivered, true);
      const { messageId, payload, headers, correlationId } = again;
      assert.deepEqual(
        { messageId, payload, headers, correlationId },
        {
          messageId: 'x',
          payload: { a: 1 },
          headers: { h: 1 },
          correlationId: 'c',
        },
      );
      await again.ack();
    });

    runner.it('requeue with a delay: it comes again after the delay, not before', async () => {
      const { plugin } = subject;
      await plugin.sendData('orders', 1);
      const begin = Date.now();
      await (await pull()).requeue({ delay: 300 });
      await eventually(async () => (await plugin.queueInfo('orders')).delayed === 1, 'it waits');
      assert.equal(await plugin.pullData('orders'), null);
      const again = await pull();
      assert.ok(Date.now() - begin >= 290, 'not before its time');
      assert.equal(again.attempt, 2);
      await rejectsWith(() => again.requeue({ delay: -1 }), 'INVALID_ARGUMENT');
      await again.ack();
    });

    runner.it('a short delay does not wait behind a long one', async () => {
      await subject.plugin.sendBatch('orders', [{ payload: 'long' }, { payload: 'short' }]);
      const [long, short] = [await pull(), await pull()];
      await long.requeue({ delay: 60_000 });
      await short.requeue({ delay: 100 });
      assert.equal((await pull()).payload, 'short');
    });

    runner.it('reject: it becomes a dead letter with the words of the consumer', async () => {
      const { plugin } = subject;
      await plugin.sendData('orders', 1, { messageId: 'bad' });
      await (await pull()).reject('not a valid order');
      await eventually(async () => (await counts()).join() === '0,0,1', 'it is a dead letter');
      const [letter] = await plugin.peekDeadLetters('orders');
      assert.equal(letter?.messageId, 'bad');
      assert.equal(letter?.reason, 'rejected');
      assert.equal(letter?.detail, 'not a valid order');
    });

    runner.it('the first settlement counts and later ones have no effect', async () => {
      const { plugin } = subject;
      await plugin.sendBatch('orders', [{ payload: 1 }, { payload: 2 }, { payload: 3 }]);
      const [acked, rejected, requeued] = [await pull(), await pull(), await pull()];
      await acked.ack();
      await acked.requeue();
      await acked.reject();
      await rejected.reject();
      await rejected.ack();
      await requeued.requeue();
      const again = await pull();
      assert.equal(again.payload, 3);
      // The old handle of a message that is in hand again must not settle the new delivery.
      await requeued.ack();
      await requeued.reject();
      await eventually(async () => (await counts()).join() === '0,1,1', 'one in hand, one dead');
      await again.requeue();
      assert.equal((await pull()).attempt, 3);
    });

    runner.it('after deliveryLimit deliveries it becomes a dead letter with reason delivery-limit', async () => {
      const { plugin } = subject;
      await plugin.createQueue('poison', { deliveryLimit: 3 });
      await plugin.sendData('poison', 1);
      for (let attempt = 1; attempt <= 3; attempt += 1) {
        const delivery = await plugin.pullData('poison', { wait: 5_000 });
        assert.equal(delivery?.attempt, attempt);
        await delivery?.requeue();
      }
      await eventually(async () => (await plugin.queueInfo('poison')).deadLetters === 1, 'it is a dead letter');
      assert.equal(await plugin.pullData('poison'), null);
      assert.equal((await plugin.peekDeadLetters('poison'))[0]?.reason, 'delivery-limit');
    });

    runner.it('after shutdown, settling rejects with DELIVERY_LOST and waiting pulls with CLOSED', async () => {
      const { plugin } = subject;
      await plugin.sendBatch('orders', [{ payload: 1 }, { payload: 2 }]);
      const [open, settled] = [await pull(), await pull()];
      await settled.ack();
      const waiting = rejectsWith(() => plugin.pullData('orders', { wait: 15_000 }), 'CLOSED');
      await plugin.shutdown();
      await waiting;
      await settled.ack();
      await rejectsWith(() => open.ack(), 'DELIVERY_LOST');
      await rejectsWith(() => open.requeue(), 'DELIVERY_LOST');
      await rejectsWith(() => open.reject(), 'DELIVERY_LOST');
    });
  });
}
