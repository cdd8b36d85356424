import type { ConsumeMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { neededService } from '../../../../test/support/needed-service.js';
import { RabbitRoom } from '../../../../test/support/rabbit-room.js';
import { LiveChannel } from './live-channel.js';

const service = neededService('rabbitmq');

describe.skipIf(service.missing)(`deliveries of a channel${service.note}`, () => {
  let room: RabbitRoom;

  beforeAll(async () => {
    room = await RabbitRoom.open();
  });

  afterAll(() => room.close());

  /** A channel that holds deliveries `1` to `count` of a new queue. */
  async function holding(label: string, count: number): Promise<[LiveChannel, ConsumeMessage[], string]> {
    const queue = room.name(label);
    await room.channel.assertQueue(queue, { arguments: { 'x-queue-type': 'quorum' } });
    for (let number = 1; number <= count; number += 1) room.channel.sendToQueue(queue, Buffer.from(String(number)));
    await room.channel.waitForConfirms();
    const live = new LiveChannel(await room.consume.channel(), queue, () => undefined);
    const messages: ConsumeMessage[] = [];
    await new Promise<void>((resolve) => {
      void live.channel.consume(queue, (message) => {
        if (message === null) return;
        live.took(message);
        if (messages.push(message) === count) resolve();
      });
    });
    return [live, messages, queue];
  }

  /** What a queue still has, in order. */
  async function rest(queue: string): Promise<string[]> {
    const bodies: string[] = [];
    for (;;) {
      const message = await room.channel.get(queue, { noAck: true });
      if (message === false) return bodies;
      bodies.push(message.content.toString());
    }
  }

  it('acks what is done with, and nothing else', async () => {
    const [live, messages, queue] = await holding('gaps', 10);
    // 3 is discarded, 5 and 9 are worked on still, and what comes later is done first.
    for (const number of [8, 2, 1, 6, 4, 7, 10]) live.ackSoon(messages[number - 1] as ConsumeMessage);
    live.discard(messages[2] as ConsumeMessage);
    expect(live.inHand).toBe(9);
    await new Promise((resolve) => setImmediate(resolve));
    expect(live.inHand).toBe(2);
    await live.close();
    expect((await rest(queue)).sort()).toEqual(['5', '9']);
  });

  it('acks before it closes, and once', async () => {
    const [live, messages, queue] = await holding('closing', 3);
    for (const message of [messages[0], messages[0], messages[1]]) live.ackSoon(message as ConsumeMessage);
    await live.close();
    expect(await rest(queue)).toEqual(['3']);
  });

  it('closes a channel that takes nothing more when the last one is done with', async () => {
    const [live, messages, queue] = await holding('retired', 2);
    const closed = new Promise<void>((resolve) => live.channel.once('close', resolve));
    live.retire();
    for (const message of messages) live.ackSoon(message);
    await closed;
    expect(live.open).toBe(false);
    expect(await rest(queue)).toEqual([]);
  });
});
