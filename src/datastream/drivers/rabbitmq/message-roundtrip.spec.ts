import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../core/json.js';
import { sealMessage } from '../../datastream.validation.js';
import { neededService } from '../../../../test/support/needed-service.js';
import { RabbitRoom } from '../../../../test/support/rabbit-room.js';
import {
  decodeMessage,
  encodeMessage,
  republished,
  type EncodedMessage,
  type ReceivedMessage,
} from './message-codec.js';

const { missing, note } = neededService('rabbitmq');
const RULES = { maxPayloadBytes: 1_000_000, priority: false, source: {} };
const HEADERS: JsonObject[] = [
  {
    numbers: [0, -1, 127, 128, -32_769, 2 ** 31, 2 ** 53 - 1, 2 ** 53, -(2 ** 60), 1e300, -1e300, 2 ** 51 + 0.5, 1e-9],
  },
  { texts: ['', 'zażółć 🌦', 'x'.repeat(1_000)], '': 'no name', others: [true, false, null, [], {}, [[]], { a: {} }] },
  { marked: { '!': 'timestamp', value: 5 }, odd: [{ '!': 'no type' }, { '!': { '!': 1 } }], '!': 'top' },
  { large: 'x'.repeat(49_000) },
  { many: Array.from({ length: 5_000 }, () => 0.5) },
  { ['n'.repeat(255)]: 1, constructor: 1, toString: 2, hasOwnProperty: 3 },
];

describe.skipIf(missing)(`messages through RabbitMQ${note}`, () => {
  let room: RabbitRoom;
  let queue: string;
  beforeAll(async () => {
    room = await RabbitRoom.open();
    queue = room.name('messages');
    await room.queues().create(queue, {}, {});
  });
  afterAll(async () => {
    await room.close();
  });
  const through = async ({ content, properties }: EncodedMessage): Promise<ReceivedMessage> => {
    await room.publisher.publish({ exchange: '', routingKey: queue, content, properties });
    return receive();
  };
  const receive = async (): Promise<ReceivedMessage> => {
    const raw = await room.channel.get(queue, { noAck: true });
    if (raw === false) throw new Error('the message is missing');
    return decodeMessage(raw, queue, Date.now());
  };

  it.each(HEADERS.map((headers) => [Object.keys(headers).join(' ').slice(0, 40), headers]))(
    'headers come back as they were, also when published again: %s',
    async (_name, headers) => {
      const sealed = sealMessage({ payload: { a: ['ü'] }, headers, correlationId: 'ü-7', expiration: 60_000 }, RULES);
      const first = await through(encodeMessage(sealed, Date.now()));
      expect(first.message).toMatchObject({ headers, payload: { a: ['ü'] }, correlationId: 'ü-7', attempt: 1 });
      expect(first.message.messageId).toBe(sealed.messageId);
      const failure = '\u0001ü'.repeat(5_000);
      const kept = { kind: 'retry', delayed: false, failure, now: Date.now() } as const;
      const second = await through(republished(first, kept));
      expect(second.message).toEqual({ ...first.message, attempt: 2, redelivered: true });
      expect(second).toMatchObject({ ttl: 60_000, failureCount: 1, expiresAt: first.expiresAt });
      const buried = { kind: 'bury', reason: 'failed', detail: 'ü'.repeat(9_000), failure, now: Date.now() } as const;
      const third = await through(republished(second, buried));
      expect(third.message).toMatchObject({ headers, payload: { a: ['ü'] } });
    },
  );

  it('typed headers of other clients survive being published again', async () => {
    const headers = {
      when: { '!': 'timestamp', value: 1_700_000_000 },
      price: { '!': 'decimal', value: { places: 2, digits: 1_999 } },
      raw: Buffer.from([0, 255]),
    };
    room.channel.publish('', queue, Buffer.from('text'), { headers, contentType: 'text/plain', persistent: true });
    await room.channel.waitForConfirms();
    const first = await receive();
    expect(first.message.headers).toEqual({ when: '2023-11-14T22:13:20.000Z', price: 19.99, raw: 'AP8=' });
    const second = await through(republished(first, { kind: 'retry', delayed: false, now: Date.now() }));
    expect(second.message).toMatchObject({ headers: first.message.headers, payload: 'text', attempt: 2 });
    expect(second.message.messageId).toBe(first.message.messageId);
    expect(second.raw.properties.headers).toMatchObject({ when: headers.when, price: headers.price });
  });
});
