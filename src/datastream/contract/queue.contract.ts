import assert from 'node:assert/strict';
import { contractSubject, rejectsWith, type ContractHarness, type ContractRunner } from '../../core/contract.js';
import type { DataStreamPlugin } from '../datastream.plugin.js';

/** Queues: their life, their names, their limits, their counts. */
export function queueContract(runner: ContractRunner, harness: ContractHarness<DataStreamPlugin>): void {
  runner.describe('queues', () => {
    const subject = contractSubject(runner, harness);

    runner.it('createQueue is idempotent and keeps what the queue holds', async () => {
      const { plugin } = subject;
      const options = { maxLength: 10, messageTtl: 600_000, deliveryLimit: 5 };
      const created = await plugin.createQueue('orders', options);
      assert.deepEqual(created, { name: 'orders', ready: 0, unacked: 0, delayed: 0, deadLetters: 0, consumers: 0 });
      await plugin.sendData('orders', 1);
      assert.equal((await plugin.createQueue('orders', options)).ready, 1);
    });

    runner.it('createQueue with other options is CONFLICT and changes nothing', async () => {
      const { plugin } = subject;
      await plugin.createQueue('orders', { maxLength: 2 });
      for (const other of [
        {},
        { maxLength: 3 },
        { maxLength: 2, messageTtl: 1_000 },
        { maxLength: 2, deliveryLimit: 7 },
      ]) {
        await rejectsWith(() => plugin.createQueue('orders', other), 'CONFLICT');
      }
      await plugin.createQueue('orders', { maxLength: 2 });
    });

    runner.it('a queue name is 1 to 200 characters of the permitted ones', async () => {
      const { plugin } = subject;
      for (const name of ['a', 'A-1_b.c:d/e', 'x'.repeat(200)]) {
        assert.equal((await plugin.createQueue(name)).name, name);
        await plugin.sendData(name, name);
        assert.equal((await plugin.pullData(name, { wait: 5_000, ack: 'auto' }))?.payload, name);
      }
      for (const name of ['', 'x'.repeat(201), 'two words', 'ümlaut', 'a\n', 'orders.dead']) {
        await rejectsWith(() => plugin.createQueue(name), 'INVALID_ARGUMENT');
      }
    });

    runner.it('options that make no sense are INVALID_ARGUMENT', async () => {
      const { plugin } = subject;
      for (const options of [{ maxLength: 0 }, { maxLength: 1.5 }, { messageTtl: -1 }, { deliveryLimit: 0 }]) {
        await rejectsWith(() => plugin.createQueue('orders', options), 'INVALID_ARGUMENT');
      }
      await rejectsWith(() => plugin.queueInfo('orders'), 'NOT_FOUND');
    });

    runner.it('every call on a queue that does not exist is NOT_FOUND, except deleteQueue', async () => {
      const { plugin } = subject;
      const calls: (() => Promise<unknown>)[] = [
        () => plugin.queueInfo('nowhere'),
        () => plugin.flushQueue('nowhere'),
        () => plugin.sendData('nowhere', 1),
        () => plugin.sendBatch('nowhere', [{ payload: 1 }]),
        () => plugin.pullData('nowhere'),
        () => plugin.pullBatch('nowhere', { max: 1 }),
        () => plugin.subscribe('nowhere', () => undefined),
        () => plugin.subscribeBatch('nowhere', () => undefined, { size: 1 }),
        () => plugin.peekDeadLetters('nowhere'),
        () => plugin.redriveDeadLetters('nowhere'),
        () => plugin.purgeDeadLetters('nowhere'),
      ];
      for (const call of calls) await rejectsWith(call, 'NOT_FOUND');
      await plugin.deleteQueue('nowhere');
    });

    runner.it('deleteQueue removes messages and dead letters and closes the subscriptions', async () => {
      const { plugin } = subject;
      await plugin.createQueue('orders');
      await plugin.sendBatch('orders', [{ payload: 1 }, { payload: 2 }]);
      await (await plugin.pullData('orders', { wait: 5_000 }))?.reject();
      const subscription = await plugin.subscribe('orders', () => undefined);
      await plugin.deleteQueue('orders');
      assert.equal(subscription.state, 'closed');
      await rejectsWith(() => plugin.queueInfo('orders'), 'NOT_FOUND');
      const again = await plugin.createQueue('orders', { maxLength: 1 });
      assert.deepEqual([again.ready, again.deadLetters, again.consumers], [0, 0, 0]);
    });

    runner.it('flushQueue removes the ready messages only and says how many', async () => {
      const { plugin } = subject;
      await plugin.createQueue('orders');
      await plugin.sendBatch(
        'orders',
        [1, 2, 3, 4].map((payload) => ({ payload })),
      );
      const held = await plugin.pullData('orders', { wait: 5_000 });
      const delayed = await plugin.pullData('orders', { wait: 5_000 });
      await delayed?.requeue({ delay: 60_000 });
      assert.equal(await plugin.flushQueue('orders'), 2);
      assert.equal(await plugin.flushQueue('orders'), 0);
      const { ready, unacked, delayed: waiting } = await plugin.queueInfo('orders');
      assert.deepEqual({ ready, unacked, waiting }, { ready: 0, unacked: 1, waiting: 1 });
      await held?.requeue();
      assert.equal((await plugin.pullData('orders', { wait: 5_000 }))?.payload, 1);
    });

    runner.it('queueInfo counts each message once, where it is', async () => {
      const { plugin } = subject;
      await plugin.createQueue('orders');
      await plugin.sendBatch(
        'orders',
        [1, 2, 3, 4].map((payload) => ({ payload })),
      );
      const [first, second] = await plugin.pullBatch('orders', { max: 3, wait: 5_000 });
      await first?.reject();
      await second?.requeue({ delay: 60_000 });
      const info = await plugin.queueInfo('orders');
      assert.deepEqual(info, { name: 'orders', ready: 1, unacked: 1, delayed: 1, deadLetters: 1, consumers: 0 });
    });

    runner.it('queues do not see each other', async () => {
      const { plugin } = subject;
      await plugin.createQueue('a');
      await plugin.createQueue('b');
      await plugin.sendData('a', 'for a');
      assert.equal(await plugin.pullData('b'), null);
      assert.equal(await plugin.flushQueue('b'), 0);
      assert.equal((await plugin.queueInfo('a')).ready, 1);
    });
  });
}
