import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import { BullMQRoom } from '../support/bullmq-room.js';
import { neededService } from '../support/needed-service.js';
import { RedisServer } from '../support/redis-server.js';

const redis = neededService('redis');

/** Most time for what comes back by itself, in ms. */
const BACK = 60_000;

describe.skipIf(redis.missing)(`Redis goes away and comes back${redis.note}`, { timeout: 150_000 }, () => {
  let server: RedisServer;
  let room: BullMQRoom;
  beforeAll(async () => {
    server = await RedisServer.create();
  });
  afterAll(() => server.remove());
  beforeEach(() => void (room = new BullMQRoom(server.url)));
  afterEach(async () => {
    await server.start();
    await room.close();
  });

  for (const end of ['stop', 'kill'] as const) {
    it(`after a ${end}: calls fail at once, health says so, and work goes on by itself when it is back`, async () => {
      const plugin = await room.plugin({ commandTimeout: 2_000 });
      await plugin.registerTask('ours', ({ args }) => args[0] ?? null);
      expect(await plugin.getResult(await plugin.submitTask('ours', { args: [1] }), { timeout: BACK })).toBe(1);
      const delayed = await plugin.submitTask('ours', { args: [2], countdown: 2_000 });
      const waiting = plugin.getResult(delayed, { timeout: BACK });
      await server[end]();
      const start = Date.now();
      await expect(plugin.submitTask('ours')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await expect(plugin.getStatus(delayed)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(Date.now() - start).toBeLessThan(10_000);
      expect(await plugin.healthCheck()).toMatchObject({ healthy: false });
      await server.start();
      expect(await waiting).toBe(2);
      await eventually(async () => (await plugin.healthCheck()).healthy, 'health is back', BACK);
      expect(await plugin.getResult(await plugin.submitTask('ours', { args: [3] }), { timeout: BACK })).toBe(3);
    });
  }

  it('a task that ends while Redis is away has its result when it is back', async () => {
    const plugin = await room.plugin();
    let finish = (): void => undefined;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    let runs = 0;
    await plugin.registerTask('slow', async () => {
      runs += 1;
      await gate;
      return 'kept';
    });
    const taskId = await plugin.submitTask('slow');
    await eventually(async () => (await plugin.getStatus(taskId)).state === 'STARTED', 'it starts', BACK);
    const waiting = plugin.getResult(taskId, { timeout: BACK });
    await server.stop();
    finish();
    await server.start();
    expect(await waiting).toBe('kept');
    expect(runs).toBe(1);
  });

  it('getResult ends by its timeout while Redis is away, and says why', async () => {
    const plugin = await room.plugin({ commandTimeout: 1_000 });
    const taskId = await plugin.submitTask('nobody');
    await server.stop();
    await expect(plugin.getResult(taskId, { timeout: 500 })).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('no connection to Redis') as string,
    });
  });

  it('shutdown ends while Redis is away, and closes what it opened', async () => {
    const plugin = await room.plugin();
    await plugin.registerTask('ours', () => null);
    await plugin.getResult(await plugin.submitTask('ours'), { timeout: BACK });
    await server.stop();
    const start = Date.now();
    await plugin.shutdown();
    expect(Date.now() - start).toBeLessThan(20_000);
    await server.start();
    await eventually(
      () =>
        room.withRedis(async (client) => {
          const others = String(await client.client('LIST'))
            .trim()
            .split('\n');
          return others.length === 1;
        }),
      'no connection is left',
      BACK,
    );
  });

  it('initialize fails at once when there is no Redis, and works when there is', async () => {
    await server.stop();
    const plugin = room.make({ connectTimeout: 2_000 });
    await expect(plugin.initialize()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
    await server.start();
    await plugin.initialize();
    expect((await plugin.healthCheck()).healthy).toBe(true);
  });

  it('Redis out of memory: submits say so, and what ran meanwhile ends all the same', async () => {
    const plugin = await room.plugin();
    let finish = (): void => undefined;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    await plugin.registerTask('slow', () => gate.then(() => 'kept'));
    const taskId = await plugin.submitTask('slow');
    await eventually(async () => (await plugin.getStatus(taskId)).state === 'STARTED', 'it starts', BACK);
    await room.withRedis((client) => client.config('SET', 'maxmemory', '1'));
    try {
      await expect(plugin.submitTask('slow')).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('out of memory') as string,
      });
      expect(await plugin.healthCheck()).toMatchObject({
        healthy: true,
        details: { degraded: true, message: expect.stringContaining('out of memory') as string },
      });
      finish();
      // BullMQ's script frees before it writes, and Redis then lets it go on to its end.
      expect(await plugin.getResult(taskId, { timeout: BACK })).toBe('kept');
      const completed = `${room.prefix}:default:completed`;
      expect(await room.withRedis((client) => client.zscore(completed, taskId))).not.toBeNull();
    } finally {
      await room.withRedis((client) => client.config('SET', 'maxmemory', '0'));
    }
    expect(await plugin.getResult(await plugin.submitTask('slow'), { timeout: BACK })).toBe('kept');
    expect((await plugin.healthCheck()).details).not.toHaveProperty('degraded');
  });

  it('a wrong password is UNAUTHORIZED and not shown', async () => {
    const locked = await RedisServer.create({ password: 'right' });
    try {
      const plugin = room.make({ url: locked.url, password: 'wrong-canary' });
      const failure: unknown = await plugin.initialize().catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'UNAUTHORIZED' });
      expect(String(failure)).not.toContain('canary');
    } finally {
      await locked.remove();
    }
  });
});
