import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import { BullMQPlugin } from '../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';
import { BullMQRoom } from '../support/bullmq-room.js';
import { neededService } from '../support/needed-service.js';
import { RedisServer } from '../support/redis-server.js';

const redis = neededService('redis');
const timeout = 30_000;

describe.skipIf(redis.missing)(`a Redis cluster of one node${redis.note}`, { timeout: 120_000 }, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.create({ args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] });
    await new BullMQRoom(server.url).withRedis(async (client) => {
      await client.cluster('ADDSLOTSRANGE', 0, 16_383);
      await eventually(
        async () => String(await client.cluster('INFO')).includes('cluster_state:ok'),
        'the cluster is ready',
        timeout,
      );
    });
  });
  afterAll(() => server.remove());

  it('submits, runs, retries, cancels and reports', async () => {
    const plugin = new BullMQPlugin({ cluster: [{ host: '127.0.0.1', port: server.port }], queues: { other: {} } });
    await plugin.initialize();
    try {
      await plugin.registerTask('ours', async ({ args, attempt, progress }) => {
        await progress(attempt);
        if (attempt === 1) throw new Error('once');
        return args[0] ?? null;
      });
      const retry = { attempts: 2, delay: 20 };
      const tasks = [1, 2, 3].map((n) => ({ name: 'ours', args: [n], retry, queue: n === 3 ? 'other' : 'default' }));
      const ids = await plugin.submitTasks(tasks);
      expect(await Promise.all(ids.map((id) => plugin.getResult(id, { timeout })))).toEqual([1, 2, 3]);
      expect(await plugin.getStatus(ids[2] ?? '')).toMatchObject({
        state: 'SUCCESS',
        attempt: 2,
        progress: { data: 2 },
      });
      const late = await plugin.submitTask('ours', { countdown: 60_000 });
      expect(await plugin.cancel(late)).toBe('cancelled');
      expect(await plugin.ping()).toBe(1);
      await eventually(async () => (await plugin.healthCheck()).healthy, 'it is healthy', timeout);
    } finally {
      await plugin.shutdown();
    }
  });
});
