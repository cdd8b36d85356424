import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import { Logger } from '@nestjs/common';
import { connect, type ChannelModel, type ConfirmChannel, type GetMessage, type Options } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Message } from '../../src/datastream/datastream.types.js';
import type { RabbitMQPlugin } from '../../src/datastream/drivers/rabbitmq/rabbitmq.plugin.js';
import { eventually } from '../../src/core/contract.js';
import { neededService } from '../support/needed-service.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { PluginRoom } from './plugin-room.js';

const rabbit = neededService('rabbitmq');
const UUID = /^[0-9a-f-]{36}$/;

describe.skipIf(rabbit.missing)(`messages of other clients${rabbit.note}`, () => {
  let vhost: RabbitVhost;
  let room: PluginRoom;
  let plugin: RabbitMQPlugin;
  let other: ChannelModel;
  let channel: ConfirmChannel;
  beforeAll(async () => {
    vhost = await RabbitVhost.open('interop');
    room = new PluginRoom();
    plugin = await room.open({
      url: vhost.url,
      exchanges: [{ name: 'events', type: 'topic', durable: true, autoDelete: false, internal: false }],
      queues: [{ name: 'rows', deliveryLimit: 3 }],
      bindings: [{ exchange: 'events', queue: 'rows', routingKey: '#' }],
    });
    other = await connect(vhost.url);
    channel = await other.createConfirmChannel();
  });
  afterAll(async () => {
    await other.close();
    await room.close();
    await vhost.remove();
  });

  /** What a consumer of the hub gets of a message that amqplib publishes as it is told. */
  async function received(content: Buffer | string, options: Options.Publish = {}): Promise<Message> {
    channel.publish('events', 'row', Buffer.from(content), options);
    await channel.waitForConfirms();
    const delivery = await plugin.pullData('rows', { wait: 5_000 });
    if (delivery === null) throw new Error('the message is missing');
    await delivery.ack();
    return delivery;
  }
  /** What amqplib gets of the next message in a queue. */
  async function raw(queue: string): Promise<GetMessage> {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) throw new Error('the message is missing');
    return message;
  }

  it.each<[string, string | Buffer, Options.Publish, unknown]>([
    ['JSON without a content type', '{"a":[1,"ü"]}', {}, { a: [1, 'ü'] }],
    ['a bare number without a content type', '7', {}, 7],
    ['text without a content type that is no JSON', 'hello', {}, new Uint8Array(Buffer.from('hello'))],
    ['bytes without a content type', Buffer.from([0, 255]), {}, new Uint8Array([0, 255])],
    ['nothing at all', '', {}, new Uint8Array()],
    ['text/plain', '{"a":1}', { contentType: 'text/plain' }, '{"a":1}'],
    ['text/csv; charset=utf-8', 'ü;1', { contentType: 'text/csv; charset=utf-8' }, 'ü;1'],
    ['application/json; charset=utf-8', '[true]', { contentType: 'application/json; charset=utf-8' }, [true]],
    ['application/cloudevents+json', '{"id":"1"}', { contentType: 'application/cloudevents+json' }, { id: '1' }],
    ['application/x-protobuf', Buffer.from([8, 1]), { contentType: 'application/x-protobuf' }, new Uint8Array([8, 1])],
    [
      'application/octet-stream',
      '{"a":1}',
      { contentType: 'application/octet-stream' },
      new Uint8Array(Buffer.from('{"a":1}')),
    ],
  ])('%s', async (_what, content, options, payload) => {
    const before = Date.now();
    const message = await received(content, options);
    expect(message.payload).toEqual(payload);
    expect(message.messageId).toMatch(UUID);
    expect(message).toMatchObject({ headers: {}, correlationId: null, attempt: 1, redelivered: false });
    expect(message.timestamp).toBeGreaterThanOrEqual(before - 1);
  });

  it.each(['application/json', 'application/vnd.api+json'])(
    'invalid %s is a dead letter with the reason',
    async (type) => {
      channel.publish('events', 'row', Buffer.from('{"a":'), {
        contentType: type,
        messageId: 'broken',
        headers: { k: 1 },
      });
      await channel.waitForConfirms();
      const handled: unknown[] = [];
      const subscription = await plugin.subscribe('rows', (message) => void handled.push(message));
      await eventually(async () => (await plugin.queueInfo('rows')).deadLetters === 1, 'it is a dead letter');
      await subscription.close();
      expect(handled).toEqual([]);
      const [letter] = await plugin.peekDeadLetters('rows');
      expect(letter).toMatchObject({ messageId: 'broken', reason: 'rejected', headers: { k: 1 } });
      expect(letter?.detail).toContain(`content type is ${type}, but its body is no JSON`);
      const told = `queue "rows": message broken became a dead letter at attempt 1: its content type is ${type}`;
      expect(room.log.texts('warn').join('\n')).toContain(told);
      expect(Buffer.from(letter?.payload as Uint8Array).toString()).toBe('{"a":');
      expect(await plugin.purgeDeadLetters('rows')).toBe(1);
    },
  );

  it('properties and headers of every kind: dates, bytes, decimals, nests', async () => {
    const headers = {
      text: 'ü',
      whole: 2 ** 40,
      fraction: 0.25,
      yes: true,
      nothing: null,
      when: { '!': 'timestamp', value: 1_700_000_000 },
      price: { '!': 'decimal', value: { places: 2, digits: 1_999 } },
      bytes: Buffer.from([0, 255]),
      nest: { list: [1, { deep: [{ when: { '!': 'timestamp', value: 0 } }] }] },
      'x-hub-sent-at': 'a liar',
      'x-hub-attempt': 'many',
    };
    const properties = {
      messageId: 'order-1',
      correlationId: 'c-1',
      timestamp: 1_700_000_000,
      appId: 'shop',
      type: 'order',
    };
    const message = await received('{}', { ...properties, headers });
    expect(message).toMatchObject({
      messageId: 'order-1',
      correlationId: 'c-1',
      timestamp: 1_700_000_000_000,
      attempt: 1,
    });
    expect(message.headers).toEqual({
      ...{ text: 'ü', whole: 2 ** 40, fraction: 0.25, yes: true, nothing: null },
      ...{ when: '2023-11-14T22:13:20.000Z', price: 19.99, bytes: 'AP8=' },
      nest: { list: [1, { deep: [{ when: '1970-01-01T00:00:00.000Z' }] }] },
    });
  });

  it('attempts are counted, the dead letter tells of them, and a redrive begins anew', async () => {
    channel.publish('events', 'row', Buffer.from('"poison"'), { headers: { tenant: 'a' }, messageId: 'poison' });
    await channel.waitForConfirms();
    const attempts: number[] = [];
    const fail = await plugin.subscribe(
      'rows',
      ({ attempt }) => {
        attempts.push(attempt);
        throw new Error('no model yet');
      },
      { retry: { attempts: 2, delay: 10 } },
    );
    await eventually(async () => (await plugin.queueInfo('rows')).deadLetters === 1, 'it is a dead letter');
    await fail.close();
    expect(attempts).toEqual([1, 2]);
    expect(await plugin.peekDeadLetters('rows')).toMatchObject([
      {
        messageId: 'poison',
        payload: 'poison',
        headers: { tenant: 'a' },
        reason: 'failed',
        detail: 'no model yet',
        attempt: 2,
      },
    ]);
    // What an operator sees with any other tool.
    const { content, properties } = await channel.get('rows.dead').then((message) => {
      if (message === false) throw new Error('there is no dead letter');
      channel.nack(message, false, true);
      return message;
    });
    expect(content.toString()).toBe('"poison"');
    expect(properties).toMatchObject({ messageId: 'poison', contentType: undefined, deliveryMode: 2 });
    expect(properties.headers).toMatchObject({
      ...{ tenant: 'a', 'x-hub-dead-reason': 'failed', 'x-hub-dead-detail': 'no model yet' },
    });
    await eventually(async () => (await plugin.queueInfo('rows')).deadLetters === 1, 'it is given back');
    expect(await plugin.redriveDeadLetters('rows')).toBe(1);
    expect(await received('"next"')).toMatchObject({ messageId: 'poison', attempt: 1, headers: { tenant: 'a' } });
    expect((await plugin.pullData('rows', { wait: 5_000, ack: 'auto' }))?.payload).toBe('next');
  });

  it('what the hub sends is plain AMQP', async () => {
    const before = Math.floor(Date.now() / 1_000);
    const options = { headers: { tenant: 'a', nest: { list: [1] } }, correlationId: 'c-2', expiration: 60_000 };
    await plugin.sendData('rows', { a: 'ü' }, { ...options, messageId: 'm-1' });
    const json = await raw('rows');
    expect(JSON.parse(json.content.toString())).toEqual({ a: 'ü' });
    expect(json.properties).toMatchObject({
      ...{
        contentType: 'application/json',
        messageId: 'm-1',
        correlationId: 'c-2',
        expiration: '60000',
        deliveryMode: 2,
      },
      headers: { tenant: 'a', nest: { list: [1] } },
    });
    expect(json.properties.timestamp).toBeGreaterThanOrEqual(before);
    await plugin.sendData('rows', new Uint8Array([0, 255]));
    const bytes = await raw('rows');
    expect(bytes.properties.contentType).toBe('application/octet-stream');
    expect([...bytes.content]).toEqual([0, 255]);
    await plugin.sendData('rows', 'text');
    expect((await raw('rows')).content.toString()).toBe('"text"');
  });

  it('golevelup’s AmqpConnection: both ways', async () => {
    const connection = new AmqpConnection({
      uri: vhost.url,
      connectionInitOptions: { wait: true },
      logger: new Logger(),
    });
    await connection.init();
    await connection.publish('events', 'row', { from: 'golevelup' });
    const plain = await plugin.pullData('rows', { wait: 5_000, ack: 'auto' });
    expect(plain).toMatchObject({ payload: { from: 'golevelup' }, headers: {}, attempt: 1 });
    expect(plain?.messageId).toMatch(UUID);
    const named = { messageId: 'g-1', contentType: 'application/json', headers: { tenant: 'a' } };
    await connection.publish('events', 'row', { from: 'golevelup' }, named);
    expect(await plugin.pullData('rows', { wait: 5_000, ack: 'auto' })).toMatchObject({
      messageId: 'g-1',
      headers: { tenant: 'a' },
    });
    const got: unknown[] = [];
    const queueOptions = { durable: true, arguments: { 'x-queue-type': 'quorum' } };
    await connection.createSubscriber(
      async (message) => void got.push(message),
      {
        queue: 'for-golevelup',
        exchange: 'events',
        routingKey: 'to.golevelup',
        createQueueIfNotExists: true,
        queueOptions,
      },
      'take',
    );
    await plugin.publish('events', 'to.golevelup', { from: 'the hub' });
    await eventually(() => got.length === 1, 'golevelup gets it');
    expect(got).toEqual([{ from: 'the hub' }]);
    await connection.close();
  });
});
