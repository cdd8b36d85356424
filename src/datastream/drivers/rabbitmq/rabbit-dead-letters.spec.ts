import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, rejectsWith } from '../../../core/contract.js';
import type { QueueOptions } from '../../datastream.types.js';
import { sealMessage } from '../../datastream.validation.js';
import { neededService } from '../../../../test/support/needed-service.js';
import { RabbitRoom } from '../../../../test/support/rabbit-room.js';
import { decodeMessage, encodeMessage, republished, type ReceivedMessage } from './message-codec.js';
import type { RabbitDeadLetters } from './rabbit-dead-letters.js';
import type { RabbitQueues } from './rabbit-queues.js';

const { missing, note } = neededService('rabbitmq');
const ALL = { max: Number.MAX_SAFE_INTEGER };
const RULES = { maxPayloadBytes: 1_000_000, priority: false, source: {} };

describe.skipIf(missing)(`dead letters on RabbitMQ${note}`, () => {
  let room: RabbitRoom;
  let queues: RabbitQueues;
  let letters: RabbitDeadLetters;
  beforeAll(async () => {
    room = await RabbitRoom.open();
    queues = room.queues();
    letters = room.deadLetters(queues);
  });
  afterAll(async () => {
    await room.close();
  });

  const send = async (queue: string, payload: number, options: object = {}): Promise<void> => {
    const message = encodeMessage(sealMessage({ payload, messageId: `m-${payload}`, ...options }, RULES), Date.now());
    await room.publisher.publish({ exchange: '', routingKey: queue, ...message });
  };
  const take = async (queue: string): Promise<ReceivedMessage> => {
    const raw = await room.channel.get(queue);
    if (raw === false) throw new Error(`${queue} is empty`);
    return decodeMessage(raw, queue, Date.now());
  };
  const takeAll = async (queue: string): Promise<ReceivedMessage[]> => {
    const all: ReceivedMessage[] = [];
    for (let left = await queues.ready(queue); left > 0; left -= 1) all.push(await take(queue));
    for (const { raw } of all) room.channel.ack(raw);
    return all;
  };
  /** A queue whose messages 0, 1, … up to `count` are dead letters, as the hub makes them. */
  const buried = async (label: string, count: number, options: QueueOptions = {}, by = queues): Promise<string> => {
    const queue = room.name(label);
    await by.create(queue, {}, {});
    const numbers = Array.from({ length: count }, (_, payload) => payload);
    await Promise.all(numbers.map((payload) => send(queue, payload, { headers: { h: payload } })));
    const received: ReceivedMessage[] = [];
    for (const _ of numbers) received.push(await take(queue));
    const dead = (one: ReceivedMessage, index: number): Promise<void> => {
      const change = { kind: 'bury', reason: 'rejected', detail: `because ${index}`, now: Date.now() } as const;
      return room.publisher.publish({ exchange: '', routingKey: `${queue}.dead`, ...republished(one, change) });
    };
    await Promise.all(received.map(dead));
    for (const { raw } of received) room.channel.ack(raw);
    // Only the data queue: its dead letters stay.
    await room.channel.deleteQueue(queue);
    await by.create(queue, options, {});
    return queue;
  };
  const payloads = async (queue: string, max = 1_000): Promise<unknown[]> =>
    (await letters.peek(queue, max)).map(({ payload }) => payload);

  it('peek shows the oldest, and they are counted as before when it resolves', async () => {
    const queue = await buried('peek', 5);
    expect(await payloads(queue, 2)).toEqual([0, 1]);
    expect((await queues.counts(queue)).deadLetters).toBe(5);
    const [first] = await letters.peek(queue, 1);
    expect(first).toMatchObject({ messageId: 'm-0', reason: 'rejected', detail: 'because 0', headers: { h: 0 } });
    expect([first?.attempt, first?.redelivered]).toEqual([1, false]);
  });

  it('peeks of any size keep the order', async () => {
    const queue = await buried('order', 8);
    for (const max of [8, 3, 1, 5, 100, 2, 7]) {
      expect(await payloads(queue, max)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].slice(0, max));
    }
    expect((await Promise.all([payloads(queue), payloads(queue, 3)])).map(({ length }) => length)).toEqual([8, 3]);
  });

  it('redrive sends all back in order, as new messages', async () => {
    const queue = await buried('redrive', 250);
    expect(await payloads(queue, 3)).toEqual([0, 1, 2]);
    expect(await letters.redrive(queue, ALL)).toBe(250);
    expect(await queues.counts(queue)).toMatchObject({ ready: 250, deadLetters: 0 });
    const back = await takeAll(queue);
    expect(back.map(({ message }) => message.payload)).toEqual(back.map((_, index) => index));
    expect(back[7]).toMatchObject({ attempt: 1, failureCount: 0, message: { messageId: 'm-7', headers: { h: 7 } } });
    expect(await letters.redrive(queue, ALL)).toBe(0);
  });

  it('redrive of some leaves the others in order', async () => {
    const queue = await buried('some', 8);
    expect(await letters.redrive(queue, { max: 1 })).toBe(1);
    expect(await letters.redrive(queue, { max: 2, messageIds: ['m-6', 'm-3', 'm-5', 'unknown'] })).toBe(2);
    expect(await payloads(queue)).toEqual([1, 2, 4, 6, 7]);
    expect(await letters.redrive(queue, { ...ALL, messageIds: ['m-1'] })).toBe(1);
    expect(await payloads(queue)).toEqual([2, 4, 6, 7]);
    expect(await letters.redrive(queue, { ...ALL, messageIds: [] })).toBe(0);
    expect((await takeAll(queue)).map(({ message }) => message.payload)).toEqual([0, 3, 5, 1]);
  });

  it.each(['quorum', 'classic'] as const)(
    'a full %s queue: CONFLICT, and what does not fit stays',
    async (queueType) => {
      const by = room.queues({ queueType });
      const bounded = room.deadLetters(by);
      const queue = await buried(`full-${queueType}`, 6, { maxLength: 3 }, by);
      const error = await rejectsWith(() => bounded.redrive(queue, ALL), 'CONFLICT');
      const redriven = Number(error.details['redriven']);
      // The limit of a quorum queue is soft by one.
      expect(redriven).toBeGreaterThanOrEqual(3);
      expect(redriven).toBeLessThanOrEqual(4);
      const { ready, deadLetters } = await queues.counts(queue);
      expect([ready, deadLetters]).toEqual([redriven, 6 - redriven]);
      const back = (await takeAll(queue)).map(({ message }) => message.payload);
      expect([...back, ...(await payloads(queue))]).toEqual([0, 1, 2, 3, 4, 5]);
      expect(await bounded.redrive(queue, { max: 2 })).toBe(2);
    },
  );

  it('a data queue that is gone: NOT_FOUND, and all of them stay in order', async () => {
    const queue = await buried('gone', 8);
    expect(await payloads(queue)).toHaveLength(8);
    await room.channel.deleteQueue(queue);
    const error = await rejectsWith(() => letters.redrive(queue, { max: 3 }), 'NOT_FOUND');
    expect(error.details).toMatchObject({ queue, redriven: 0 });
    expect(await payloads(queue)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('two redrives at the same time send each one once', async () => {
    const queue = await buried('twice', 120);
    const another = room.deadLetters(room.queues());
    const counts = await Promise.all([
      letters.redrive(queue, ALL),
      another.redrive(queue, ALL),
      letters.redrive(queue, ALL),
    ]);
    expect(counts.reduce((sum, count) => sum + count)).toBe(120);
    const ids = (await takeAll(queue)).map(({ message }) => message.messageId);
    expect([ids.length, new Set(ids).size]).toEqual([120, 120]);
    expect((await queues.counts(queue)).deadLetters).toBe(0);
  });

  it('what the broker makes dead letters says why, and gets its own time to live anew', async () => {
    const queue = room.name('by-broker');
    await queues.create(queue, { deliveryLimit: 2 }, {});
    await send(queue, 1, { expiration: 50 });
    const dead = async (count: number): Promise<void> =>
      eventually(async () => (await queues.counts(queue)).deadLetters === count, `${count} dead letters`);
    await dead(1);
    await send(queue, 2);
    for (let delivery = 0; delivery < 2; delivery += 1) room.channel.nack((await take(queue)).raw, false, true);
    await dead(2);
    await send(queue, 3);
    room.channel.nack((await take(queue)).raw, false, false);
    await dead(3);
    const seen = (await letters.peek(queue, 9)).map(({ reason, attempt, payload }) => [reason, attempt, payload]);
    expect(seen.sort()).toEqual([
      ['delivery-limit', 2, 2],
      ['expired', 0, 1],
      ['rejected', 0, 3],
    ]);
    expect(await letters.redrive(queue, { ...ALL, messageIds: ['m-1'] })).toBe(1);
    const { ttl, expiresAt, attempt } = await take(queue);
    expect([ttl, attempt]).toEqual([50, 1]);
    expect(expiresAt).toBeGreaterThan(Date.now() - 5_000);
  });

  it('purge removes them; a missing queue is NOT_FOUND', async () => {
    const queue = await buried('purge', 3);
    await letters.peek(queue, 1);
    expect([await letters.purge(queue), await letters.purge(queue)]).toEqual([3, 0]);
    expect(await letters.peek(queue, 5)).toEqual([]);
    await queues.delete(queue);
    for (const call of [
      () => letters.peek(queue, 1),
      () => letters.redrive(queue, ALL),
      () => letters.redrive(queue, { ...ALL, messageIds: [] }),
      () => letters.purge(queue),
    ]) {
      const error = await rejectsWith(call, 'NOT_FOUND');
      expect(error.message).toContain(`the queue "${queue}" does not exist. Create it with`);
    }
  });
});
