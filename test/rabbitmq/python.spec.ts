import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import type { Message } from '../../src/datastream/datastream.types.js';
import type { RabbitMQPlugin } from '../../src/datastream/drivers/rabbitmq/rabbitmq.plugin.js';
import { neededService } from '../support/needed-service.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { run } from '../support/run-command.js';
import { PluginRoom } from './plugin-room.js';

const rabbit = neededService('rabbitmq');
const python = neededService('python');
const SCRIPT = fileURLToPath(new URL('./pika_client.py', import.meta.url));

/** A message as pika shows it. */
interface PikaMessage {
  body: unknown;
  content_type: string | null;
  message_id: string | null;
  correlation_id: string | null;
  delivery_mode: number | null;
  timestamp: number | null;
  headers: Record<string, unknown>;
  redelivered: boolean;
}

/** A dead letter as a Python program reads it. */
interface PikaDeadLetter {
  message_id: string;
  body: string;
  reason: string;
  detail: string | null;
  dead_at: number;
  failures: { attempt: number; detail: string }[];
  own: Record<string, unknown>;
}

describe.skipIf(rabbit.missing || python.missing)(`Python programs with pika${rabbit.note}${python.note}`, () => {
  let vhost: RabbitVhost;
  let room: PluginRoom;
  let plugin: RabbitMQPlugin;
  beforeAll(async () => {
    vhost = await RabbitVhost.open('pika');
    room = new PluginRoom();
    plugin = await room.open({ url: vhost.url });
  });
  afterAll(async () => {
    await room.close();
    await vhost.remove();
  });

  const pika = async <T>(...args: string[]): Promise<T> =>
    JSON.parse(await run(python.address, [SCRIPT, vhost.url, ...args], { timeout: 60_000 })) as T;

  it('send to a queue of the hub', async () => {
    await plugin.createQueue('from-pika');
    await pika('send', 'from-pika');
    const got: Message[] = [];
    const subscription = await plugin.subscribe('from-pika', (message) => void got.push(message), { concurrency: 1 });
    await eventually(() => got.length === 4, 'all are taken');
    await subscription.close();
    expect(got.map(({ payload }) => payload)).toEqual([
      { from: 'pika', number: 1 },
      'only words',
      new Uint8Array([0, 255]),
      [1, 2],
    ]);
    expect(got[3]).toMatchObject({
      messageId: 'from-pika',
      correlationId: 'c-1',
      timestamp: 1_700_000_000_000,
      headers: { when: '2023-11-14T22:13:20.000Z', price: 19.99, big: 2 ** 40, nest: { list: [1, 'two', null, true] } },
      attempt: 1,
    });
    expect((await plugin.queueInfo('from-pika')).deadLetters).toBe(0);
  });

  it('consume from a queue of the hub', async () => {
    await plugin.createQueue('to-pika');
    // No fractions: pika 1.4 reads those in headers as whole numbers.
    const headers = { tenant: 'a', nest: { list: [1, 2 ** 40, 'two', null, true] } };
    const before = Date.now();
    await plugin.sendData(
      'to-pika',
      { text: 'zażółć', number: 2 ** 40 },
      { messageId: 'm-1', correlationId: 'c-2', headers },
    );
    await plugin.sendData('to-pika', new Uint8Array([0, 255]));
    const [json, bytes] = await pika<PikaMessage[]>('take', 'to-pika', '2');
    expect(JSON.parse(String(json?.body))).toEqual({ text: 'zażółć', number: 2 ** 40 });
    expect(json).toMatchObject({
      content_type: 'application/json',
      message_id: 'm-1',
      correlation_id: 'c-2',
      delivery_mode: 2,
      headers,
      redelivered: false,
    });
    expect(json?.timestamp).toBeGreaterThanOrEqual(Math.floor(before / 1_000));
    expect(json?.headers['x-hub-sent-at']).toBeGreaterThanOrEqual(before);
    expect(bytes).toMatchObject({ body: [0, 255], content_type: 'application/octet-stream' });
    expect((await plugin.queueInfo('to-pika')).ready).toBe(0);
  });

  it('understand dead letters of every kind', { timeout: 60_000 }, async () => {
    await plugin.createQueue('work', { deliveryLimit: 3 });
    const headers = { tenant: 'a' };
    await plugin.sendData('work', 'poison', { messageId: 'failed', headers });
    const failing = await plugin.subscribe(
      'work',
      ({ attempt }) => {
        throw new Error(`no model, attempt ${attempt}`);
      },
      { retry: { attempts: 2, delay: 10 } },
    );
    await eventually(async () => (await plugin.queueInfo('work')).deadLetters === 1, 'it failed');
    await failing.close();
    await plugin.sendData('work', 'bad', { messageId: 'rejected', headers });
    await (await plugin.pullData('work', { wait: 5_000 }))?.reject('no such tenant');
    await plugin.sendData('work', 'old', { messageId: 'expired', headers, expiration: 1 });
    await eventually(async () => (await plugin.queueInfo('work')).deadLetters === 3, 'it expired');
    // A consumer that dies again and again: the broker's own doing.
    await plugin.sendData('work', 'killer', { messageId: 'delivery-limit', headers });
    expect(await pika('return', 'work', '3')).toEqual([0, 1, 2]);
    await eventually(async () => (await plugin.queueInfo('work')).deadLetters === 4, 'it was delivered too often');

    const letters = await pika<PikaDeadLetter[]>('dead', 'work');
    expect(letters.map(({ message_id: id, reason }) => [id, reason])).toEqual([
      ['failed', 'failed'],
      ['rejected', 'rejected'],
      ['expired', 'expired'],
      ['delivery-limit', 'delivery-limit'],
    ]);
    for (const { own, dead_at: deadAt } of letters) {
      expect(own).toEqual(headers);
      expect(Math.abs(deadAt - Date.now())).toBeLessThan(60_000);
    }
    expect(letters[0]).toMatchObject({
      body: '"poison"',
      detail: 'no model, attempt 2',
      failures: [
        { attempt: 1, detail: 'no model, attempt 1' },
        { attempt: 2, detail: 'no model, attempt 2' },
      ],
    });
    expect(letters[1]?.detail).toBe('no such tenant');
    // The hub sees the same, after Python had them in hand.
    const seen = await plugin.peekDeadLetters('work');
    expect(seen.map(({ messageId, reason }) => [messageId, reason])).toEqual(
      letters.map(({ message_id: id, reason }) => [id, reason]),
    );
    expect(await plugin.redriveDeadLetters('work', { messageIds: ['delivery-limit'] })).toBe(1);
    const [again] = await pika<PikaMessage[]>('take', 'work', '1');
    expect(again).toMatchObject({ message_id: 'delivery-limit', body: '"killer"', redelivered: false });
  });
});
