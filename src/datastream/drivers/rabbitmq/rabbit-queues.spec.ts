import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, rejectsWith } from '../../../core/contract.js';
import { neededService } from '../../../../test/support/needed-service.js';
import { RabbitRoom } from '../../../../test/support/rabbit-room.js';
import { delayQueue } from './topology.js';

const { missing, note } = neededService('rabbitmq');
const CREATE = { operation: 'createQueue' };

describe.skipIf(missing)(`queues on RabbitMQ${note}`, () => {
  let room: RabbitRoom;
  beforeAll(async () => {
    room = await RabbitRoom.open();
  });
  afterAll(async () => {
    await room.close();
  });
  const publish = (queue: string, options: object = {}): Promise<void> =>
    new Promise((resolve, reject) => {
      room.channel.publish('', queue, Buffer.from('1'), options, (error: unknown) =>
        error === null ? resolve() : reject(error as Error),
      );
    });

  it('creates a queue with its dead letter queue, again and again, and remembers its options', async () => {
    const queues = room.queues();
    const queue = room.name('created');
    const options = { maxLength: 3, messageTtl: 60_000, deliveryLimit: 2 };
    await queues.create(queue, options, CREATE);
    await queues.create(queue, options, CREATE);
    expect(queues.known(queue)).toEqual(options);
    expect(await queues.counts(queue)).toEqual({ ready: 0, delayed: 0, deadLetters: 0, consumers: 0 });
    expect(queues.known('another')).toBeUndefined();
  });

  it('takes the extremes of the options', async () => {
    const queues = room.queues();
    const options = { maxLength: Number.MAX_SAFE_INTEGER, messageTtl: 2 ** 32 - 1, deliveryLimit: 1 };
    const queue = room.name('extreme');
    await queues.create(queue, options, CREATE);
    await publish(queue);
    const message = await room.channel.get(queue);
    if (message === false) throw new Error('the message is missing');
    room.channel.nack(message, false, true);
    await eventually(async () => (await queues.counts(queue)).deadLetters === 1, 'one delivery was the limit');
  });

  it.each(['quorum', 'classic'] as const)('%s: other options are CONFLICT with both sides', async (queueType) => {
    const queues = room.queues({ queueType });
    const queue = room.name(`conflict-${queueType}`);
    await queues.create(queue, { maxLength: 2, deliveryLimit: 4 }, CREATE);
    const error = await rejectsWith(() => queues.create(queue, { maxLength: 7, deliveryLimit: 4 }, CREATE), 'CONFLICT');
    expect(error.message).toMatch(new RegExp(`"${queue}" exists with other settings.*x-max-length.*'7'.*'2'.*delete`));
    const limit = await rejectsWith(() => queues.create(queue, { maxLength: 2, deliveryLimit: 5 }, CREATE), 'CONFLICT');
    expect(limit.message).toContain('deliveryLimit');
    await rejectsWith(
      () => queues.create(queue, { maxLength: 2, deliveryLimit: 4, messageTtl: 5 }, CREATE),
      'CONFLICT',
    );
    expect(queues.known(queue)).toEqual({ maxLength: 2, deliveryLimit: 4, messageTtl: null });
    await queues.create(queue, { maxLength: 2, deliveryLimit: 4 }, CREATE);
  });

  it('refuses names and options that make no sense', async () => {
    const queues = room.queues();
    for (const name of ['', 'x.dead', 'a b', 'q~delay.5', 'x'.repeat(201)]) {
      await rejectsWith(() => queues.create(name, {}, CREATE), 'INVALID_ARGUMENT');
    }
    await rejectsWith(() => queues.create(room.name('bad'), { maxLength: 0 }, CREATE), 'INVALID_ARGUMENT');
  });

  it('counts, flushes and purges; missing queues are NOT_FOUND and harm nothing', async () => {
    const queues = room.queues();
    const queue = room.name('counted');
    const calls = [
      () => queues.counts(queue),
      () => queues.ready(queue),
      () => queues.flush(queue),
      () => queues.purgeDeadLetters(queue),
    ];
    for (const call of calls) {
      const error = await rejectsWith(call, 'NOT_FOUND');
      expect(error.message).toContain(`the queue "${queue}" does not exist. Create it with createQueue`);
    }
    await queues.create(queue, {}, CREATE);
    for (let count = 0; count < 3; count += 1) await publish(queue);
    await publish(`${queue}.dead`);
    await publish(await queues.ensureDelayQueue(queue, 60_000));
    await publish(await queues.ensureDelayQueue(queue, 80_000));
    expect(await queues.counts(queue)).toEqual({ ready: 3, delayed: 2, deadLetters: 1, consumers: 0 });
    expect(await queues.ready(queue)).toBe(3);
    expect([await queues.flush(queue), await queues.flush(queue)]).toEqual([3, 0]);
    expect([await queues.purgeDeadLetters(queue), await queues.purgeDeadLetters(queue)]).toEqual([1, 0]);
    expect(await queues.counts(queue)).toEqual({ ready: 0, delayed: 2, deadLetters: 0, consumers: 0 });
  });

  it('deletes a queue with all that belongs to it; a missing one is no error', async () => {
    const queues = room.queues();
    const queue = room.name('deleted');
    await queues.delete(queue);
    await queues.create(queue, {}, CREATE);
    const delayed = [await queues.ensureDelayQueue(queue, 1), await queues.ensureDelayQueue(queue, 2 ** 32 - 1)];
    await queues.delete(queue);
    expect(queues.known(queue)).toBeUndefined();
    for (const name of [queue, `${queue}.dead`, ...delayed]) {
      const spare = await room.spare();
      await expect(spare.checkQueue(name)).rejects.toThrow('404');
    }
    await queues.create(queue, { maxLength: 1 }, CREATE);
  });

  it('delays by the step that is not shorter, and gives the message to the queue then', async () => {
    const queues = room.queues();
    const queue = room.name('delay');
    await queues.create(queue, {}, CREATE);
    const all = await Promise.all([queues.ensureDelayQueue(queue, 39), queues.ensureDelayQueue(queue, 40)]);
    expect(all).toEqual([delayQueue(queue, 40), delayQueue(queue, 40)]);
    await publish(all[0]);
    await eventually(async () => (await queues.counts(queue)).ready === 1, 'it is back');
    expect((await queues.counts(queue)).delayed).toBe(0);
  });

  it('declares a delay queue again when somebody has deleted it', async () => {
    const queues = room.queues();
    const queue = room.name('lost-delay');
    await queues.create(queue, {}, CREATE);
    const name = await queues.ensureDelayQueue(queue, 60_000);
    await room.channel.deleteQueue(name);
    queues.forgetDelayQueues(queue);
    await queues.ensureDelayQueue(queue, 60_000);
    expect((await room.channel.checkQueue(name)).messageCount).toBe(0);
    await room.channel.deleteQueue(name);
    expect((await queues.counts(queue)).delayed).toBe(0);
    await queues.ensureDelayQueue(queue, 60_000);
    expect((await room.channel.checkQueue(name)).messageCount).toBe(0);
  });

  it('makes again what it has created and is gone', async () => {
    const queues = room.queues();
    const queue = room.name('restored');
    await queues.create(queue, { maxLength: 4 }, CREATE);
    await room.queues().delete(queue);
    await queues.restore(queue);
    await rejectsWith(() => room.queues().create(queue, {}, CREATE), 'CONFLICT');
    await room.queues().delete(queue);
    await queues.declareAgain({ exchanges: [], queues: [], bindings: [] });
    expect(await queues.ready(queue)).toBe(0);
    await queues.restore('never-created');
  });

  it.each(['passive', 'none'] as const)('declare %s: makes nothing, and says what is missing', async (declare) => {
    const queues = room.queues({ declare });
    const queue = room.name(`others-${declare}`);
    const error = await rejectsWith(() => queues.create(queue, {}, CREATE), 'NOT_FOUND');
    expect(error.message).toContain(`declare is "${declare}"`);
    expect(error.message).toContain(`"${queue}.dead"`);
    await room.queues().create(queue, { maxLength: 2 }, CREATE);
    await queues.create(queue, { maxLength: 2 }, CREATE);
    expect(queues.known(queue)?.maxLength).toBe(2);
    await queues.restore(queue);
    await room.channel.deleteQueue(`${queue}.dead`);
    await rejectsWith(() => queues.create(queue, {}, CREATE), 'NOT_FOUND');
    if (declare === 'none') {
      expect(await queues.ensureDelayQueue(queue, 500)).toBe(delayQueue(queue, 500));
      return;
    }
    const noDelay = await rejectsWith(() => queues.ensureDelayQueue(queue, 500), 'NOT_FOUND');
    expect(noDelay.message).toContain('"x-message-ttl":500');
  });
});
