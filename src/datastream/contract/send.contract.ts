import assert from 'node:assert/strict';
import {
  contractSubject,
  eventually,
  rejectsWith,
  type ContractHarness,
  type ContractRunner,
} from '../../core/contract.js';
import type { DataStreamPlugin } from '../datastream.plugin.js';
import type { Payload } from '../datastream.types.js';

const JSON_PAYLOADS: Payload[] = [
  'text',
  '',
  '{"not":"parsed"}',
  'zażółć gęślą jaźń 🌦',
  0,
  -1.5e-7,
  9_007_199_254_740_991,
  true,
  false,
  null,
  [],
  {},
  { rows: [1, 'two', null, { deep: [false] }], nothing: null },
];

/** Sending: payloads, ids, headers, batches, limits, time to live, priority. */
export function sendContract(runner: ContractRunner, harness: ContractHarness<DataStreamPlugin>): void {
  runner.describe('sending', () => {
    const subject = contractSubject(runner, harness);
    runner.beforeEach(async () => {
      await subject.plugin.createQueue('orders');
    });
    const take = async (): Promise<Payload | undefined> =>
      (await subject.plugin.pullData('orders', { wait: 5_000, ack: 'auto' }))?.payload;

    runner.it('JSON values come back as they were', async () => {
      for (const payload of JSON_PAYLOADS) await subject.plugin.sendData('orders', payload);
      for (const payload of JSON_PAYLOADS) assert.deepEqual(await take(), payload);
    });

    runner.it('bytes come back as bytes', async () => {
      const all = Uint8Array.from({ length: 256 }, (_, index) => index);
      for (const bytes of [all, new Uint8Array(), Buffer.from('[1]')]) await subject.plugin.sendData('orders', bytes);
      for (const bytes of [all, new Uint8Array(), Buffer.from('[1]')]) {
        const received = await take();
        assert.ok(received instanceof Uint8Array);
        assert.deepEqual([...received], [...bytes]);
      }
    });

    runner.it('what JSON cannot carry is PAYLOAD_INVALID and nothing is sent', async () => {
      const cycle: Record<string, unknown> = {};
      cycle['self'] = cycle;
      for (const bad of [undefined, () => 1, 1n, Number.NaN, { a: new Map() }, [undefined], cycle]) {
        await rejectsWith(() => subject.plugin.sendData('orders', bad as Payload), 'PAYLOAD_INVALID');
        const batch = [{ payload: 'good' }, { payload: bad as Payload }];
        const error = await rejectsWith(() => subject.plugin.sendBatch('orders', batch), 'PAYLOAD_INVALID');
        assert.equal(error.details['sent'], 0);
      }
      assert.equal(await subject.plugin.pullData('orders'), null);
    });

    runner.it('a payload that is too large is PAYLOAD_INVALID', async () => {
      // 32 MiB is above the default of every driver.
      await rejectsWith(() => subject.plugin.sendData('orders', 'x'.repeat(2 ** 25)), 'PAYLOAD_INVALID');
      await rejectsWith(() => subject.plugin.sendData('orders', new Uint8Array(2 ** 25)), 'PAYLOAD_INVALID');
      assert.equal(await subject.plugin.pullData('orders'), null);
    });

    runner.it('id, headers, correlation id and time of sending arrive', async () => {
      const before = Date.now();
      const headers = { source: 'test', nested: { list: [1, null] } };
      const options = { messageId: 'my-id', headers, correlationId: 'request-7' };
      assert.equal(await subject.plugin.sendData('orders', 1, options), 'my-id');
      const delivery = await subject.plugin.pullData('orders', { wait: 5_000 });
      assert.ok(delivery);
      assert.equal(delivery.messageId, 'my-id');
      assert.equal(delivery.queue, 'orders');
      assert.deepEqual(delivery.headers, headers);
      assert.equal(delivery.correlationId, 'request-7');
      assert.equal(delivery.attempt, 1);
      assert.equal(delivery.redelivered, false);
      assert.ok(Math.abs(delivery.timestamp - before) < 60_000);
      await delivery.ack();
    });

    runner.it('without options: a random id, no headers, no correlation id; ids are not deduplicated', async () => {
      const { plugin } = subject;
      const ids = [await plugin.sendData('orders', 1), await plugin.sendData('orders', 1)];
      assert.notEqual(ids[0], ids[1]);
      const delivery = await plugin.pullData('orders', { wait: 5_000, ack: 'auto' });
      assert.equal(delivery?.messageId, ids[0]);
      assert.deepEqual(delivery?.headers, {});
      assert.equal(delivery?.correlationId, null);
      await plugin.sendData('orders', 2, { messageId: 'same' });
      await plugin.sendData('orders', 3, { messageId: 'same' });
      assert.deepEqual([await take(), await take(), await take()], [1, 2, 3]);
    });

    runner.it('options that make no sense are INVALID_ARGUMENT', async () => {
      for (const options of [{ messageId: '' }, { expiration: 0 }, { headers: { 'x-hub-mine': 1 } }]) {
        await rejectsWith(() => subject.plugin.sendData('orders', 1, options), 'INVALID_ARGUMENT');
      }
      await rejectsWith(
        () => subject.plugin.sendData('orders', 1, { headers: { bad: Number.NaN } }),
        'PAYLOAD_INVALID',
        'INVALID_ARGUMENT',
      );
    });

    runner.it('sendBatch keeps the order and resolves to the ids; an empty one does nothing', async () => {
      const { plugin } = subject;
      const messages = Array.from({ length: 250 }, (_, payload) => ({ payload, messageId: `m-${payload}` }));
      assert.deepEqual(
        await plugin.sendBatch('orders', messages),
        messages.map(({ messageId }) => messageId),
      );
      assert.deepEqual(await plugin.sendBatch('orders', []), []);
      for (const { payload } of messages) assert.equal(await take(), payload);
      assert.equal(await plugin.pullData('orders'), null);
    });

    runner.it('sends that are not awaited keep their order', async () => {
      const ids = await Promise.all(
        Array.from({ length: 100 }, (_, index) => subject.plugin.sendData('orders', index)),
      );
      assert.equal(new Set(ids).size, 100);
      for (let index = 0; index < 100; index += 1) assert.equal(await take(), index);
    });

    runner.it('a signal that has fired sends nothing', async () => {
      const signal = AbortSignal.abort();
      await rejectsWith(() => subject.plugin.sendData('orders', 1, { signal }), 'ABORTED');
      await rejectsWith(() => subject.plugin.sendBatch('orders', [{ payload: 1 }], { signal }), 'ABORTED');
      assert.equal(await subject.plugin.pullData('orders'), null);
    });

    runner.it('a full queue rejects with CONFLICT, keeps what it has, and takes more when there is room', async () => {
      const { plugin } = subject;
      await plugin.createQueue('small', { maxLength: 3 });
      await plugin.sendBatch('small', [{ payload: 1 }, { payload: 2 }, { payload: 3 }]);
      await rejectsWith(() => plugin.sendData('small', 4), 'CONFLICT');
      const error = await rejectsWith(() => plugin.sendBatch('small', [{ payload: 4 }, { payload: 5 }]), 'CONFLICT');
      assert.equal(error.details['sent'], 0);
      const pull = async () => (await plugin.pullData('small', { wait: 5_000, ack: 'auto' }))?.payload;
      assert.equal(await pull(), 1);
      await eventually(async () => (await plugin.queueInfo('small')).ready === 2, 'the queue has room');
      await plugin.sendData('small', 6);
      assert.deepEqual([await pull(), await pull(), await pull()], [2, 3, 6]);
      assert.equal(await plugin.pullData('small'), null);
    });

    runner.it('expiration and messageTtl make dead letters with reason expired', async () => {
      const { plugin } = subject;
      await plugin.createQueue('short', { messageTtl: 50 });
      await plugin.sendData('short', 'by the queue');
      await plugin.sendData('orders', 'by the message', { expiration: 50 });
      await plugin.sendData('orders', 'stays');
      for (const [queue, payload] of [
        ['short', 'by the queue'],
        ['orders', 'by the message'],
      ] as const) {
        await eventually(async () => (await plugin.queueInfo(queue)).deadLetters === 1, `${queue} has a dead letter`);
        const [letter] = await plugin.peekDeadLetters(queue);
        assert.equal(letter?.reason, 'expired');
        assert.equal(letter?.payload, payload);
      }
      assert.equal(await plugin.pullData('short'), null);
      assert.equal(await take(), 'stays');
    });

    runner.it('priority: higher first, then the order of sending; or UNSUPPORTED where there is none', async () => {
      const { plugin } = subject;
      if (!plugin.supports.priority) {
        await rejectsWith(() => plugin.sendData('orders', 1, { priority: 1 }), 'UNSUPPORTED');
        assert.equal(await plugin.pullData('orders'), null);
        return;
      }
      const priorities = [0, 5, 9, 5, undefined, 1];
      await plugin.sendBatch(
        'orders',
        priorities.map((priority, payload) => ({ payload, ...(priority === undefined ? {} : { priority }) })),
      );
      for (const expected of [2, 1, 3, 5, 0, 4]) assert.equal(await take(), expected);
      for (const priority of [-1, 10, 1.5]) {
        await rejectsWith(() => plugin.sendData('orders', 1, { priority }), 'INVALID_ARGUMENT');
      }
    });
  });
}
