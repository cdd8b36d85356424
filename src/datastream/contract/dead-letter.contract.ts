import assert from 'node:assert/strict';
import {
  contractSubject,
  eventually,
  rejectsWith,
  type ContractHarness,
  type ContractRunner,
} from '../../core/contract.js';
import type { DataStreamPlugin } from '../datastream.plugin.js';
import { numbers } from './fixtures.js';

/** Dead letters: reading, sending back, removing. */
export function deadLetterContract(runner: ContractRunner, harness: ContractHarness<DataStreamPlugin>): void {
  runner.describe('dead letters', () => {
    const subject = contractSubject(runner, harness);
    const bury = async (count: number): Promise<void> => {
      const { plugin } = subject;
      await plugin.createQueue('orders');
      const messages = numbers(0, count).map((message, index) => ({ ...message, messageId: `m-${index}` }));
      await plugin.sendBatch('orders', messages);
      for (let index = 0; index < count; index += 1) {
        await (await plugin.pullData('orders', { wait: 5_000 }))?.reject(`because ${index}`);
      }
      await eventually(async () => (await plugin.queueInfo('orders')).deadLetters === count, 'all are dead letters');
    };

    runner.it('peek shows the oldest first, leaves them there, and keeps the whole message', async () => {
      await bury(3);
      const { plugin } = subject;
      const before = Date.now();
      const letters = await plugin.peekDeadLetters('orders');
      assert.deepEqual(
        letters.map(({ messageId, payload, detail }) => [messageId, payload, detail]),
        [
          ['m-0', 0, 'because 0'],
          ['m-1', 1, 'because 1'],
          ['m-2', 2, 'because 2'],
        ],
      );
      for (const { deadAt, queue, attempt } of letters) {
        assert.ok(Math.abs(deadAt - before) < 60_000);
        assert.deepEqual([queue, attempt], ['orders', 1]);
      }
      assert.equal((await plugin.peekDeadLetters('orders', { max: 2 })).length, 2);
      assert.equal((await plugin.queueInfo('orders')).deadLetters, 3);
      await rejectsWith(() => plugin.peekDeadLetters('orders', { max: 0 }), 'INVALID_ARGUMENT');
    });

    runner.it('bytes and headers of a dead letter come back as they were', async () => {
      const { plugin } = subject;
      await plugin.createQueue('orders');
      await plugin.sendData('orders', new Uint8Array([0, 255]), { headers: { h: [1] }, correlationId: 'c' });
      await (await plugin.pullData('orders', { wait: 5_000 }))?.reject();
      await eventually(async () => (await plugin.queueInfo('orders')).deadLetters === 1, 'it is a dead letter');
      const [letter] = await plugin.peekDeadLetters('orders');
      assert.ok(letter?.payload instanceof Uint8Array);
      assert.deepEqual([...letter.payload], [0, 255]);
      assert.deepEqual([letter.headers, letter.correlationId], [{ h: [1] }, 'c']);
    });

    runner.it('redrive sends all of them back as new deliveries', async () => {
      await bury(3);
      const { plugin } = subject;
      assert.equal(await plugin.redriveDeadLetters('orders'), 3);
      for (const payload of [0, 1, 2]) {
        const delivery = await plugin.pullData('orders', { wait: 5_000 });
        assert.equal(delivery?.payload, payload);
        assert.equal(delivery?.messageId, `m-${payload}`);
        assert.equal(delivery?.attempt, 1);
        await delivery?.ack();
      }
      assert.equal((await plugin.queueInfo('orders')).deadLetters, 0);
      assert.equal(await plugin.redriveDeadLetters('orders'), 0);
    });

    runner.it('redrive of some: the oldest max, or those with the given ids', async () => {
      await bury(4);
      const { plugin } = subject;
      assert.equal(await plugin.redriveDeadLetters('orders', { max: 1 }), 1);
      assert.equal(await plugin.redriveDeadLetters('orders', { messageIds: ['m-3', 'm-2', 'unknown'], max: 1 }), 1);
      assert.equal(await plugin.redriveDeadLetters('orders', { messageIds: [] }), 0);
      const ids = (await plugin.peekDeadLetters('orders')).map(({ messageId }) => messageId);
      assert.deepEqual(ids.length, 2);
      assert.ok(ids.includes('m-1'), 'the other ids stay');
      assert.ok(!ids.includes('m-0'), 'the oldest went first');
      assert.equal((await plugin.queueInfo('orders')).ready, 2);
    });

    runner.it('redrive gives an expired message its time to live anew', async () => {
      const { plugin } = subject;
      await plugin.createQueue('orders');
      await plugin.sendData('orders', 'late', { expiration: 1_000 });
      await eventually(async () => (await plugin.queueInfo('orders')).deadLetters === 1, 'it has expired');
      assert.equal(await plugin.redriveDeadLetters('orders'), 1);
      assert.equal((await plugin.pullData('orders', { wait: 900, ack: 'auto' }))?.payload, 'late');
    });

    runner.it('purge removes the dead letters only', async () => {
      await bury(2);
      const { plugin } = subject;
      await plugin.sendData('orders', 'ready');
      assert.equal(await plugin.purgeDeadLetters('orders'), 2);
      assert.equal(await plugin.purgeDeadLetters('orders'), 0);
      assert.deepEqual(await plugin.peekDeadLetters('orders'), []);
      assert.equal((await plugin.pullData('orders', { wait: 5_000, ack: 'auto' }))?.payload, 'ready');
    });
  });
}
