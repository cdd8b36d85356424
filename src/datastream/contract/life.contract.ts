import assert from 'node:assert/strict';
import {
  contractSubject,
  eventually,
  rejectsWith,
  type ContractHarness,
  type ContractRunner,
} from '../../core/contract.js';
import type { DataStreamPlugin } from '../datastream.plugin.js';
import { gate, numbers } from './fixtures.js';

/** Connecting, draining, shutting down, coming back. */
export function streamLifeContract(runner: ContractRunner, harness: ContractHarness<DataStreamPlugin>): void {
  runner.describe('drain, shutdown and restart', () => {
    const subject = contractSubject(runner, harness);
    runner.beforeEach(async () => {
      await subject.plugin.createQueue('orders');
    });

    runner.it('connect opens and disconnect finishes what is in flight and closes', async () => {
      const { plugin } = subject;
      await plugin.disconnect();
      assert.equal(plugin.phase, 'closed');
      await rejectsWith(() => plugin.queueInfo('orders'), 'CLOSED');
      await plugin.connect();
      await plugin.createQueue('orders');
      let done = false;
      let started = false;
      await plugin.subscribe('orders', async () => {
        started = true;
        await new Promise((resolve) => setTimeout(resolve, 100));
        done = true;
      });
      await plugin.sendData('orders', 1);
      await eventually(() => started, 'the handler runs');
      await plugin.disconnect();
      assert.equal(done, true);
    });

    runner.it('drain: consumers take nothing more, running handlers end and are acked, calls still work', async () => {
      const { plugin } = subject;
      const { opened, open } = gate();
      const seen: unknown[] = [];
      const subscription = await plugin.subscribe(
        'orders',
        async ({ payload }) => {
          seen.push(payload);
          await opened;
          await plugin.sendData('orders', 'from the handler');
        },
        { prefetch: 5 },
      );
      await plugin.sendBatch('orders', numbers(0, 4));
      await eventually(() => seen.length === 1, 'the handler runs');
      let drained = false;
      const draining = plugin.drain().then(() => {
        drained = true;
      });
      await plugin.sendData('orders', 'meanwhile');
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(drained, false);
      open();
      await draining;
      assert.equal(subscription.state, 'closed');
      assert.deepEqual(seen, [0]);
      await rejectsWith(() => plugin.subscribe('orders', () => undefined), 'CLOSED');
      await eventually(async () => {
        const { ready, unacked } = await plugin.queueInfo('orders');
        return ready === 5 && unacked === 0;
      }, 'what was not begun is ready again');
    });

    runner.it('shutdown tells the handlers that still run, and what they do then has no effect', async () => {
      const { plugin } = subject;
      const { opened, open } = gate();
      let signal: AbortSignal | undefined;
      await plugin.subscribe('orders', async (_message, context) => {
        signal = context.signal;
        await opened;
      });
      await plugin.sendData('orders', 1);
      await eventually(() => signal !== undefined, 'the handler runs');
      await plugin.shutdown();
      assert.equal(signal?.aborted, true);
      open();
      if (!plugin.supports.durable) return;
      const reopened = await subject.restart();
      const again = await reopened.pullData('orders', { wait: 5_000 });
      assert.deepEqual([again?.payload, again?.attempt, again?.redelivered], [1, 2, true]);
    });

    runner.it('a durable driver has everything again after a restart', async () => {
      const { plugin } = subject;
      if (!plugin.supports.durable) {
        await plugin.sendData('orders', 1);
        await plugin.shutdown();
        await plugin.initialize();
        await rejectsWith(() => plugin.queueInfo('orders'), 'NOT_FOUND');
        return;
      }
      const messages = ['held', 'delayed', 'dead', 'ready', 'acked'].map((payload) => ({ payload }));
      await plugin.sendBatch('orders', messages);
      await plugin.sendData('orders', new Uint8Array([1, 2]), { headers: { h: 1 } });
      const taken = await Promise.all(messages.map(() => plugin.pullData('orders', { wait: 5_000 })));
      const of = (payload: string) => taken.find((delivery) => delivery?.payload === payload);
      await of('delayed')?.requeue({ delay: 300 });
      await of('dead')?.reject('over');
      await of('ready')?.requeue();
      await of('acked')?.ack();

      const reopened = await subject.restart();
      await reopened.createQueue('orders');
      assert.equal((await reopened.peekDeadLetters('orders'))[0]?.detail, 'over');
      const attempts = new Map<string, number>();
      for (let index = 0; index < 4; index += 1) {
        const delivery = await reopened.pullData('orders', { wait: 5_000 });
        assert.ok(delivery, 'nothing is lost');
        const { payload } = delivery;
        attempts.set(payload instanceof Uint8Array ? `bytes ${payload.join()}` : String(payload), delivery.attempt);
        assert.equal(delivery.redelivered, delivery.attempt > 1);
        await delivery.ack();
      }
      assert.deepEqual(Object.fromEntries(attempts), { held: 2, delayed: 2, ready: 2, 'bytes 1,2': 1 });
      assert.equal(await reopened.pullData('orders', { wait: 100 }), null);
      await rejectsWith(async () => of('held')?.ack(), 'DELIVERY_LOST');
    });

    runner.it('healthCheck counts queues and consumers and stays healthy while it works', async () => {
      const { plugin } = subject;
      await plugin.subscribe('orders', () => undefined);
      const { healthy, details } = await plugin.healthCheck();
      assert.equal(healthy, true);
      assert.equal(details['consumers'], 1);
      await plugin.drain();
      assert.equal((await plugin.healthCheck()).details['consumers'], 0);
    });
  });
}
