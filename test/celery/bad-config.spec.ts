import { Logger } from '@nestjs/common';
import { connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually, rejectsWith } from '../../src/core/contract.js';
import type { HubError, HubErrorCode } from '../../src/core/errors.js';
import type { CeleryPluginOptions } from '../../src/taskqueue/drivers/celery/celery.options.js';
import { CANARY, tellsCanary } from '../support/canary.js';
import { LogListener } from '../support/log-listener.js';
import { RedisServer } from '../support/redis-server.js';
import { BROKERS, celeryNeeds, CeleryRoom } from './celery-room.js';

/** Time to connect that the tests give, in ms. */
const CONNECT = 1_000;
/** As much again, and more, for a machine that is busy. */
const SLACK = 7_000;
/** Nobody listens there. */
const DEAF = '127.0.0.1:1';
const { missing, note } = celeryNeeds('rabbitmq');
const secret = encodeURIComponent(CANARY);

describe.skipIf(missing)(`a Celery driver that is told wrong${note}`, { timeout: 60_000 }, () => {
  let room: CeleryRoom;
  let locked: RedisServer;
  const log = new LogListener();
  beforeAll(async () => {
    locked = await RedisServer.create({ password: CANARY });
  });
  afterAll(() => locked.remove());
  beforeEach(async () => {
    log.lines.length = 0;
    Logger.overrideLogger(log);
    room = await CeleryRoom.open({ broker: 'rabbitmq' });
  });
  afterEach(async () => {
    await room.close();
    Logger.overrideLogger(true);
    expect(tellsCanary(log.lines)).toBe(false);
  });

  /** The error of a plugin that does not open; it comes in time, and nothing tells the password. */
  async function refused(options: CeleryPluginOptions, ...codes: HubErrorCode[]): Promise<HubError> {
    const quick = { connectTimeout: CONNECT };
    const plugin = room.make({ amqp: quick, redisBroker: quick, redisBackend: quick, ...options });
    const started = performance.now();
    const error = await rejectsWith(() => plugin.initialize(), ...codes);
    expect(performance.now() - started).toBeLessThan(CONNECT + SLACK);
    const health = await plugin.healthCheck();
    expect(health.healthy).toBe(false);
    expect(tellsCanary(error, health, log.lines)).toBe(false);
    return error;
  }

  const lockedUrl = (): string => `redis://:${secret}x@127.0.0.1:${locked.port}/0`;

  it('a wrong password is UNAUTHORIZED: RabbitMQ, Redis as the broker, Redis with the results', async () => {
    const { host, pathname, username } = new URL(room.brokerUrl);
    await refused({ brokerUrl: `amqp://${username}:${secret}@${host}${pathname}` }, 'UNAUTHORIZED');
    await refused({ brokerUrl: lockedUrl() }, 'UNAUTHORIZED');
    await refused({ backendUrl: lockedUrl() }, 'UNAUTHORIZED');
    const right = await room.plugin({
      backendUrl: `redis://:${secret}@127.0.0.1:${locked.port}/0`,
      withoutWorkers: 'degraded',
    });
    expect(tellsCanary(await right.healthCheck(), right, right.extras)).toBe(false);
    await rejectsWith(() => right.getResult('unknown-id', { timeout: 1 }), 'TIMEOUT');
  });

  it.each([
    ['RabbitMQ', { brokerUrl: `amqp://hub:${secret}@${DEAF}/` }],
    ['Redis as the broker', { brokerUrl: `redis://:${secret}@${DEAF}/0` }],
    ['Redis with the results', { backendUrl: `redis://:${secret}@${DEAF}/0` }],
  ])('%s that nobody answers for is UNAVAILABLE in time', async (_what, options) => {
    expect((await refused(options, 'UNAVAILABLE')).message).toContain('127.0.0.1');
  });

  it('rpc:// over Redis, and lists of what is no cluster, are CONFIG_INVALID', async () => {
    const redis = room.backendUrl;
    expect((await refused({ brokerUrl: redis, backendUrl: 'rpc://' }, 'CONFIG_INVALID')).message).toContain('RabbitMQ');
    await refused({ brokerUrl: [redis, redis] }, 'CONFIG_INVALID');
    await refused({ brokerUrl: [room.brokerUrl, redis] }, 'CONFIG_INVALID');
    await refused({ brokerUrl: 'sentinel://127.0.0.1:26379/0' }, 'CONFIG_INVALID');
  });

  it('a queue with other arguments is CONFLICT, one that is not there NOT_FOUND; both say what to do', async () => {
    const connection = await connect(room.brokerUrl);
    await (await connection.createChannel()).assertQueue('taken', { durable: true });
    await connection.close();
    const prioritized = await room.plugin({ maxPriority: 9 });
    const conflict = await rejectsWith(() => prioritized.submitTask('t', { queue: 'taken' }), 'CONFLICT');
    expect(conflict.message).toMatch(/"taken".*maxPriority.*declare: none/);
    expect(await prioritized.submitTask('t', { queue: 'free' })).toMatch(/-/);
    const passive = await room.plugin({ declare: 'passive' });
    const nowhere = await rejectsWith(() => passive.submitTask('t', { queue: 'nowhere' }), 'NOT_FOUND');
    expect(nowhere.message).toMatch(/-Q nowhere/);
    expect(await passive.submitTask('t', { queue: 'taken' })).toMatch(/-/);
    const silent = await room.plugin({ declare: 'none' });
    await rejectsWith(() => silent.submitTask('t', { queue: 'nowhere' }), 'NOT_FOUND');
  });
});

for (const { broker, missing: lacks, note: why } of BROKERS) {
  describe.skipIf(lacks)(`warnings of the Celery driver over ${broker}${why}`, { timeout: 60_000 }, () => {
    it('one of a worker that acks early, one of an eta that comes too late; none of a worker in order', async () => {
      const log = new LogListener();
      Logger.overrideLogger(log);
      const room = await CeleryRoom.open({ broker });
      try {
        await Promise.all([room.worker({ app: 'plain_tasks' }), room.worker()]);
        const limits = { consumerTimeout: 60_000, visibilityTimeout: 3_600_000 };
        const plugin = await room.plugin({ ...limits, controlTimeout: 2_000 });
        const warnings = (part: string): string[] => log.texts('warn').filter((text) => text.includes(part));
        await eventually(() => warnings('acks tasks before they run').length > 0, 'the warning comes', 10_000);
        expect(warnings('acks tasks')).toEqual([expect.stringContaining('(plain.add)')]);
        for (const countdown of [1, 4_000_000, 5_000_000]) await plugin.submitTask('t', { queue: 'far', countdown });
        expect(warnings('is to start in')).toEqual([expect.stringContaining('4000000 ms')]);
        expect(log.texts('warn')).toHaveLength(2);
      } finally {
        await room.close();
        Logger.overrideLogger(true);
      }
    });
  });
}
