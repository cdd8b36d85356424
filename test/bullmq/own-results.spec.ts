import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BullMQRoom } from '../support/bullmq-room.js';
import { neededService } from '../support/needed-service.js';
import { RedisServer } from '../support/redis-server.js';

const redis = neededService('redis');

describe.skipIf(redis.missing)(`results of tasks that ran in this process${redis.note}`, { timeout: 60_000 }, () => {
  let server: RedisServer;
  let room: BullMQRoom;
  beforeAll(async () => {
    server = await RedisServer.create();
    const admin = new Redis(server.url);
    // Nobody can read the streams of events: what is heard is heard from the worker here, or read each second.
    await admin.call('ACL', 'SETUSER', 'deaf', 'on', '>secret', '~*', '&*', '+@all', '-xread');
    admin.disconnect();
    room = new BullMQRoom(`redis://deaf:secret@127.0.0.1:${server.port}`);
  });
  afterAll(async () => {
    await room.close();
    await server.remove();
  });

  it('are told when they are stored, before any event', async () => {
    const plugin = await room.plugin();
    await plugin.registerTask('slow', async ({ args }) => {
      await wait(50);
      return { got: args[0] ?? null };
    });
    await plugin.getResult(await plugin.submitTask('slow', { args: [0] }));
    const began = performance.now();
    for (let n = 1; n <= 10; n += 1) {
      const taskId = await plugin.submitTask('slow', { args: [n] });
      const both = await Promise.all([plugin.getResult(taskId), plugin.getResult(taskId)]);
      expect(both).toEqual([{ got: n }, { got: n }]);
      expect(both[0]).not.toBe(both[1]);
      expect(await plugin.getStatus(taskId)).toMatchObject({ state: 'SUCCESS' });
    }
    // Ten looks, one each second, would be ten seconds.
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
