import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import { HubError } from '../../src/core/errors.js';
import type { BullMQPluginOptions } from '../../src/taskqueue/drivers/bullmq/bullmq.options.js';
import type { BullMQPlugin } from '../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';
import { neededService } from '../support/needed-service.js';
import { GuardedBullMQRoom } from './guarded-bullmq-room.js';
import { RedisSentinel } from '../support/redis-sentinel.js';

const redis = neededService('redis');
const TIMEOUT = 60_000;
// Both without characters that mean something in a configuration file of Redis.
const PASSWORD = 'canary-server';
const SENTINEL_PASSWORD = 'canary-sentinel';

describe.skipIf(redis.missing)(`Redis behind Sentinel${redis.note}`, { timeout: 3 * TIMEOUT }, () => {
  let redises: RedisSentinel;
  let room: GuardedBullMQRoom;
  beforeAll(async () => {
    redises = await RedisSentinel.create(PASSWORD, SENTINEL_PASSWORD);
  }, TIMEOUT);
  afterAll(() => redises.remove());
  beforeEach(() => {
    room = new GuardedBullMQRoom();
  });
  afterEach(async () => {
    await room.close();
    expect(JSON.stringify(room.log.lines)).not.toContain('canary');
  });

  const options = (sentinel: Partial<BullMQPluginOptions['sentinel']> = {}): BullMQPluginOptions => ({
    password: PASSWORD,
    sentinel: {
      nodes: [{ host: '127.0.0.1', port: redises.port }],
      name: redises.name,
      password: SENTINEL_PASSWORD,
      ...sentinel,
    },
    commandTimeout: 2_000,
    lockDuration: 2_000,
    stalledInterval: 1_000,
  });

  it('a name that the sentinels do not know, and a wrong password of theirs, are refused', async () => {
    const connectTimeout = 3_000;
    const unknown = await room.refused({ ...options({ name: 'others' }), connectTimeout }, 'UNAVAILABLE');
    expect(unknown.message).toMatch(/sentinel/i);
    const sentinel = { password: 'canary-wrong' };
    const wrong = await room.refused({ ...options(sentinel), connectTimeout }, 'UNAUTHORIZED');
    expect(String(wrong)).not.toContain('canary');
  });

  it('tasks go on after a failover, without a restart', async () => {
    const plugin = await room.open(options());
    await plugin.registerTask('double', ({ args }) => Number(args[0]) * 2);
    const before: number[] = [];
    const after: number[] = [];
    let acknowledged = before;
    const codes = new Set<string>();
    let over = false;
    const submitting = (async () => {
      for (let number = 0; !over; number += 1) {
        if (await submitted(plugin, number, codes)) acknowledged.push(number);
        await pause(10);
      }
    })();
    await eventually(() => before.length > 50, 'tasks are submitted', TIMEOUT);
    // What is acknowledged is on the replica when this resolves: Redis itself does not wait for it.
    const kept = before.length;
    const direct = new Redis(redises.master.url);
    expect(await direct.wait(1, 10_000)).toBe(1);
    direct.disconnect();

    await redises.master.kill();
    await eventually(async () => !(await plugin.healthCheck()).healthy, 'health tells', TIMEOUT);
    await eventually(async () => (await plugin.healthCheck()).healthy, 'health is back', TIMEOUT);
    acknowledged = after;
    await eventually(() => after.length > 50, 'tasks are submitted to the new master', TIMEOUT);
    over = true;
    await submitting;

    const all = [...before.slice(0, kept), ...after];
    const results = await Promise.all(all.map((number) => plugin.getResult(`t-${number}`, { timeout: TIMEOUT })));
    expect(results).toEqual(all.map((number) => number * 2));
    expect([...codes].filter((code) => code !== 'UNAVAILABLE' && code !== 'TIMEOUT')).toEqual([]);
    const promoted = new Redis(redises.replica.url);
    expect(await promoted.role()).toContain('master');
    expect(String(await promoted.client('LIST'))).toContain(`name=${room.prefix}:hub `);
    promoted.disconnect();
  });
});

/** Whether the task was acknowledged; notes the code when it was not. */
async function submitted(plugin: BullMQPlugin, number: number, codes: Set<string>): Promise<boolean> {
  try {
    await plugin.submitTask('double', { args: [number], taskId: `t-${number}` });
    return true;
  } catch (error) {
    codes.add(HubError.is(error) ? error.code : String(error));
    return false;
  }
}
