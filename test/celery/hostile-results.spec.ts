import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, rejectsWith } from '../../src/core/contract.js';
import { HubError } from '../../src/core/errors.js';
import { redisEnvelope } from '../../src/taskqueue/drivers/celery/broker/redis-envelope.js';
import type { CeleryEvent } from '../../src/taskqueue/drivers/celery/control/celery-events.js';
import type { CeleryPlugin } from '../../src/taskqueue/drivers/celery/celery.plugin.js';
import { BROKERS, celeryNeeds, CeleryRoom } from './celery-room.js';
import { hostileBodies, hostileMetas } from './hostile-metas.js';

/** Most time for a task that is in order, in ms. */
const TIMEOUT = 30_000;
/** Given to `getResult` of what never ends, in ms. */
const SHORT = 300;
/** Most time of any call beyond what it was given, in ms; other suites run beside this one. */
const SLACK = 3_000;

/** The outcome of a call within its time: its value, or the HubError that it rejected with. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  const started = performance.now();
  try {
    return await call;
  } catch (error) {
    if (HubError.is(error)) return error;
    throw error;
  } finally {
    expect(performance.now() - started).toBeLessThan(SHORT + SLACK);
  }
}

async function drained(plugin: CeleryPlugin, taskId: string): Promise<unknown[]> {
  const reports: unknown[] = [];
  const signal = AbortSignal.timeout(SHORT);
  for await (const report of plugin.progress(taskId, { signal })) reports.push(report);
  return reports;
}

/** What nobody handled meanwhile. */
class Unhandled {
  readonly seen: unknown[] = [];
  readonly #note = (error: unknown): void => void this.seen.push(error);

  constructor() {
    process.on('unhandledRejection', this.#note).on('uncaughtExceptionMonitor', this.#note);
  }

  end(): void {
    process.off('unhandledRejection', this.#note).off('uncaughtExceptionMonitor', this.#note);
  }
}

/** A task that nobody disturbs, from submit to result. */
async function works(plugin: CeleryPlugin): Promise<void> {
  const taskId = await plugin.submitTask('contract.progress', { args: [3, 20] });
  expect(await plugin.getResult(taskId, { timeout: TIMEOUT })).toBe(3);
  expect(await plugin.getStatus(taskId)).toMatchObject({ state: 'SUCCESS', progress: { data: { step: 3, of: 3 } } });
  expect(await plugin.ping({ timeout: 1_500 })).toBe(1);
}

for (const { broker, missing, note } of BROKERS) {
  describe.skipIf(missing)(`garbage from others over ${broker}${note}`, { timeout: 90_000 }, () => {
    let room: CeleryRoom;
    let plugin: CeleryPlugin;
    let unhandled: Unhandled;
    beforeEach(async () => {
      unhandled = new Unhandled();
      room = await CeleryRoom.open({ broker });
      [plugin] = await Promise.all([room.plugin(), room.worker()]);
    });
    afterEach(async () => {
      await room.close();
      unhandled.end();
      expect(unhandled.seen).toEqual([]);
    });

    it('results in Redis: each call ends in time with a value or a HubError, and the channel is no way in', async () => {
      await room.withRedis(async (redis) => {
        const all = hostileMetas(randomUUID()).map(async ({ text, expected }) => {
          const taskId = randomUUID();
          const meta = text.replaceAll('TASK_ID', taskId);
          await redis.set(room.metaKey(taskId), meta);
          const result = await outcome(plugin.getResult(taskId, { timeout: SHORT }));
          const status = await outcome(plugin.getStatus(taskId));
          const reports = await outcome(drained(plugin, taskId));
          const shown = meta.slice(0, 100);
          if (HubError.is(result)) expect([shown, result.code, result.message]).toEqual([shown, ...expected]);
          else expect([shown, result]).toEqual([shown, ...expected]);
          expect([shown, HubError.is(status)]).toEqual([shown, false]);
          if (HubError.is(reports)) expect([shown, reports.code]).toEqual([shown, 'ABORTED']);
        });
        await Promise.all(all);
      });
      await works(plugin);
    });

    it('channels of results: garbage in front of the result of a task that is waited for', async () => {
      const taskId = await plugin.submitTask('contract.add', { args: [1, 2], countdown: 1_500 });
      const waiting = plugin.getResult(taskId, { timeout: TIMEOUT });
      await room.withRedis(async (redis) => {
        await eventually(async () => {
          const [, count] = (await redis.pubsub('NUMSUB', room.metaKey(taskId))) as [string, number];
          return count > 0;
        }, 'the hub listens');
        for (const text of hostileBodies()) await redis.publish(room.metaKey(taskId), text);
        for (const text of hostileBodies()) await redis.set(`${room.metaKey(taskId)}.submit`, text);
        expect(await outcome(plugin.getStatus(taskId))).toMatchObject({ state: 'PENDING' });
        for (const text of hostileBodies())
          await redis.hset(`${room.metaKey(taskId)}.hub`, { attempt: text, progress: text });
        expect(await outcome(plugin.getStatus(taskId))).toMatchObject({ state: 'PENDING' });
        const wrongKinds = randomUUID();
        await redis.lpush(room.metaKey(wrongKinds), 'a list');
        await redis.set(`${room.metaKey(wrongKinds)}.hub`, 'no hash');
        for (const call of [plugin.getStatus(wrongKinds), plugin.getResult(wrongKinds, { timeout: SHORT })]) {
          expect(await outcome(call)).toBeInstanceOf(HubError);
        }
      });
      expect(await waiting).toBe(3);
      await works(plugin);
    });

    it('answers and events: what is malformed is dropped, and what is in order comes through', async () => {
      const heard: CeleryEvent[] = [];
      const stop = new AbortController();
      const listening = (async () => {
        for await (const event of plugin.extras.events({ signal: stop.signal })) heard.push(event);
      })().catch((error: unknown) => error);
      // Events of workers come all the time.
      await eventually(() => heard.length > 0, 'events come', TIMEOUT);
      const asking = plugin.extras.inspect('active', { timeout: 1_500 });
      const sent = broker === 'redis' ? await disturbRedis(room) : await disturbRabbit(room);
      expect(sent.replies).toBeGreaterThan(10);
      expect(Object.values(await asking)).toEqual([[]]);
      await eventually(() => heard.some(({ type }) => type === 'marker'), 'the event after the garbage comes', TIMEOUT);
      for (const event of heard) {
        expect(typeof event.type).toBe('string');
        expect(Number.isFinite(event.timestamp)).toBe(true);
      }
      stop.abort();
      expect(await listening).toMatchObject({ code: 'ABORTED' });
      await works(plugin);
    });
  });
}

const rpc = celeryNeeds('rabbitmq');

describe.skipIf(rpc.missing)(`garbage in the queue of results (rpc)${rpc.note}`, { timeout: 90_000 }, () => {
  it('is dropped; the state of another task, or of none, changes nothing', async () => {
    const unhandled = new Unhandled();
    const room = await CeleryRoom.open({ broker: 'rabbitmq', backend: 'rpc' });
    try {
      const [plugin] = await Promise.all([room.plugin({ resultQueue: 'results' }), room.worker()]);
      const taskId = await plugin.submitTask('contract.add', { args: [1, 2], countdown: 2_000 });
      const waiting = plugin.getResult(taskId, { timeout: TIMEOUT });
      const connection = await connect(room.brokerUrl);
      const channel = await connection.createConfirmChannel();
      const bodies = [
        ...hostileBodies(),
        ...hostileMetas(randomUUID()).map(({ text }) => text.replaceAll('TASK_ID', randomUUID())),
      ];
      for (const text of bodies) {
        channel.sendToQueue('results', Buffer.from(text), { correlationId: taskId });
        channel.sendToQueue('results', Buffer.from(text), { contentType: 'application/x-python-serialize' });
      }
      channel.sendToQueue('results', Buffer.from([0xff, 0xfe, 0x00, 0x80]), { correlationId: taskId });
      await channel.waitForConfirms();
      await connection.close();
      expect(await outcome(plugin.getStatus(taskId))).toMatchObject({ state: 'PENDING' });
      expect(await waiting).toBe(3);
      await rejectsWith(() => plugin.getResult(randomUUID(), { timeout: SHORT }), 'TIMEOUT');
      await works(plugin);
    } finally {
      await room.close();
      unhandled.end();
    }
    expect(unhandled.seen).toEqual([]);
  });
});

/** Garbage for whoever waits for answers and events, then an event that is in order. */
async function disturbRedis(room: CeleryRoom): Promise<{ replies: number }> {
  return room.withRedis(async (redis) => {
    const lists = (await redis.smembers(`${room.prefix}_kombu.binding.reply.celery.pidbox`)).map((member) =>
      member.split('\u0006\u0016').at(-1),
    );
    expect(lists).toHaveLength(1);
    let replies = 0;
    const channel = `${room.prefix}/0.celeryev/task.multi`;
    const wrap = (body: string, headers: object) =>
      redisEnvelope(body, { headers: headers as never, exchange: 'x', routingKey: 'y' });
    for (const text of hostileBodies()) {
      for (const message of [text, wrap(text, {}), wrap(text, { ticket: 5 }), wrap(text, { ticket: randomUUID() })]) {
        replies += await redis.lpush(`${room.prefix}${lists[0]}`, message).then(() => 1);
        await redis.publish(channel, message);
      }
    }
    await redis.publish(channel, wrap(JSON.stringify([null, { type: 'marker' }]), {}));
    return { replies };
  });
}

async function disturbRabbit(room: CeleryRoom): Promise<{ replies: number }> {
  const queues = ((await room.vhost?.queues()) ?? []).map(({ name }) => name);
  const list = queues.filter((name) => /^[0-9a-f-]{36}\.reply\.celery\.pidbox$/.test(name));
  expect(list).toHaveLength(1);
  const connection = await connect(room.brokerUrl);
  const channel = await connection.createConfirmChannel();
  let replies = 0;
  for (const text of hostileBodies()) {
    for (const headers of [{}, { ticket: 5 }, { ticket: randomUUID() }, { ticket: { a: [] } }]) {
      channel.sendToQueue(list[0] ?? '', Buffer.from(text), { headers });
      channel.publish('celeryev', 'task.multi', Buffer.from(text), { headers });
      replies += 1;
    }
  }
  channel.publish('celeryev', 'task.multi', Buffer.from(JSON.stringify([null, { type: 'marker' }])));
  await channel.waitForConfirms();
  await connection.close();
  return { replies };
}
