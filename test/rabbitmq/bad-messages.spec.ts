import { connect, type ChannelModel } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rejectsWith } from '../../src/core/contract.js';
import type { JsonObject } from '../../src/core/json.js';
import type { Payload } from '../../src/datastream/datastream.types.js';
import type { RabbitMQPlugin } from '../../src/datastream/drivers/rabbitmq/rabbitmq.plugin.js';
import { neededService } from '../support/needed-service.js';
import { RabbitBroker } from '../support/rabbit-broker.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { PluginRoom } from './plugin-room.js';

const rabbit = neededService('rabbitmq');
const DEADLINE = 90_000;
const MIB = 1_048_576;

describe.skipIf(rabbit.missing)(`messages that cannot be sent${rabbit.note}`, () => {
  let vhost: RabbitVhost;
  let room: PluginRoom;
  let plugin: RabbitMQPlugin;
  beforeAll(async () => {
    vhost = await RabbitVhost.open('bad-messages');
    room = new PluginRoom();
    plugin = await room.open({ url: vhost.url });
    await plugin.createQueue('letters');
  });
  afterAll(async () => {
    await room.close();
    await vhost.remove();
  });

  /** Messages that came through at the end of each test: none that was refused. */
  const stored = async (): Promise<number> => (await plugin.queueInfo('letters')).ready;

  it('a payload over maxPayloadBytes is PAYLOAD_INVALID, one of that size is sent', async () => {
    await plugin.sendData('letters', Buffer.alloc(MIB));
    for (const payload of [Buffer.alloc(MIB + 1), 'x'.repeat(MIB)]) {
      const error = await rejectsWith(() => plugin.sendData('letters', payload), 'PAYLOAD_INVALID');
      expect(error.message).toMatch(/more than the 1048576 of maxPayloadBytes/);
      await rejectsWith(() => plugin.publish('', 'letters', payload), 'PAYLOAD_INVALID');
    }
    const batch = await rejectsWith(
      () => plugin.sendBatch('letters', [{ payload: 1 }, { payload: Buffer.alloc(MIB + 1) }]),
      'PAYLOAD_INVALID',
    );
    expect(batch.details).toMatchObject({ sent: 0, index: 1 });
    expect(await plugin.flushQueue('letters')).toBe(1);
  });

  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level += 1) deep = [deep];
  it.each([
    ['a bigint', 1n],
    ['a circle', circular],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['undefined', undefined],
    ['NaN', { score: Number.NaN }],
    ['a nest without end', deep],
    [
      'what throws when it is read',
      {
        toJSON: () => {
          throw new Error('no');
        },
      },
    ],
  ])('%s as payload or header is PAYLOAD_INVALID', async (_what, value) => {
    const payload = value as Payload;
    await rejectsWith(() => plugin.sendData('letters', payload), 'PAYLOAD_INVALID');
    await rejectsWith(() => plugin.publish('', 'letters', payload), 'PAYLOAD_INVALID');
    if (value === undefined) return;
    const headers = { key: value } as unknown as JsonObject;
    await rejectsWith(() => plugin.sendData('letters', 1, { headers }), 'PAYLOAD_INVALID');
    expect(await stored()).toBe(0);
  });

  it('headers that are too large, too deep or badly named are refused, and the connection stays', async () => {
    await rejectsWith(
      () => plugin.sendData('letters', 1, { headers: { big: 'x'.repeat(100_000) } }),
      'PAYLOAD_INVALID',
    );
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`header-${index}`, 'value']));
    const error = await rejectsWith(() => plugin.sendData('letters', 1, { headers: many }), 'PAYLOAD_INVALID');
    expect(error.message).toMatch(/headers have \d+ bytes.*49152.*payload/);
    const named = { ['n'.repeat(256)]: 1 };
    await rejectsWith(() => plugin.sendData('letters', 1, { headers: named }), 'PAYLOAD_INVALID');
    for (const name of ['x-hub-attempt', 'X-Hub-attempt', 'x-death', 'x-delivery-count', 'CC', 'BCC']) {
      const refused = await rejectsWith(
        () => plugin.sendData('letters', 1, { headers: { [name]: [] } }),
        'INVALID_ARGUMENT',
      );
      expect(refused.message).toContain(name);
    }
    await plugin.sendData('letters', 1, { headers: { large: 'x'.repeat(48_000) } });
    expect(await plugin.flushQueue('letters')).toBe(1);
  });

  it.each(['', 'has space', 'ümlaut', 'x'.repeat(201), 'letters.dead', 'a~b', 'a\nb', 7, null])(
    'the queue name %j is INVALID_ARGUMENT everywhere',
    async (bad) => {
      const queue = bad as string;
      for (const call of [
        () => plugin.createQueue(queue),
        () => plugin.deleteQueue(queue),
        () => plugin.queueInfo(queue),
        () => plugin.flushQueue(queue),
        () => plugin.sendData(queue, 1),
        () => plugin.sendBatch(queue, [{ payload: 1 }]),
        () => plugin.pullData(queue),
        () => plugin.subscribe(queue, () => undefined),
        () => plugin.subscribeBatch(queue, () => undefined, { size: 1, maxWait: 1 }),
        () => plugin.peekDeadLetters(queue),
        () => plugin.redriveDeadLetters(queue),
        () => plugin.purgeDeadLetters(queue),
      ]) {
        const error = await rejectsWith(call, 'INVALID_ARGUMENT');
        expect(error.message).toContain('[datastream/rabbitmq]');
      }
    },
  );

  it('the longest name works, dead letters and delays included', async () => {
    const queue = `long.${'x'.repeat(195)}`;
    await plugin.createQueue(queue, { deliveryLimit: 5 });
    await plugin.sendData(queue, 1);
    const delivery = await plugin.pullData(queue, { wait: 5_000 });
    await delivery?.requeue({ delay: 100 });
    const again = await plugin.pullData(queue, { wait: 5_000 });
    expect(again?.attempt).toBe(2);
    await again?.reject('enough');
    expect(await plugin.peekDeadLetters(queue)).toHaveLength(1);
    await plugin.deleteQueue(queue);
  });
});

describe.skipIf(rabbit.missing)(
  `a broker that takes less than maxPayloadBytes${rabbit.note}`,
  { timeout: DEADLINE },
  () => {
    let broker: RabbitBroker;
    let room: PluginRoom;
    let other: ChannelModel;
    beforeAll(async () => {
      broker = await RabbitBroker.create({ config: ['max_message_size = 65536'] });
      room = new PluginRoom();
      other = await connect(broker.amqpUrl);
    }, 2 * DEADLINE);
    afterAll(async () => {
      await room.close();
      await other.close();
      await broker.remove();
    });

    it('its refusal is PAYLOAD_INVALID for that message alone, and those beside it arrive once', async () => {
      const plugin = await room.open({ url: broker.amqpUrl });
      await plugin.createQueue('letters');
      const sends = Array.from({ length: 41 }, (_, number) =>
        plugin.sendData('letters', number % 20 === 10 ? Buffer.alloc(65_537) : { number }, { messageId: `m${number}` }),
      );
      const results = await Promise.allSettled(sends);
      const failed = results.flatMap((result, number) => (result.status === 'rejected' ? [number] : []));
      expect(failed).toEqual([10, 30]);
      for (const number of failed) {
        const error = await rejectsWith(() => sends[number], 'PAYLOAD_INVALID');
        expect(error.message).toMatch(/message size 65537.*larger than.*65536/);
        expect(error.details).toMatchObject({ messageId: `m${number}` });
      }
      // A message whose channel was closed before its confirm is sent again: at least once, under the same id.
      const deliveries = await plugin.pullBatch('letters', { max: 1_000, wait: 2_000, ack: 'auto' });
      const numbers = new Set(deliveries.map(({ messageId }) => messageId));
      expect(numbers.size).toBe(39);
      await plugin.sendData('letters', Buffer.alloc(65_536));
      expect((await plugin.queueInfo('letters')).ready).toBe(1);
    });

    it('a batch says how many the broker has', async () => {
      const plugin = await room.open({ url: broker.amqpUrl });
      await plugin.createQueue('batches');
      const messages = [1, 2, Buffer.alloc(70_000), 4].map((payload) => ({ payload }));
      const error = await rejectsWith(() => plugin.sendBatch('batches', messages), 'PAYLOAD_INVALID');
      expect(error.details).toMatchObject({ sent: 3 });
    });
  },
);
