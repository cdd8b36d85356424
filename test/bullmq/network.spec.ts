import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import type { BullMQPlugin } from '../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';
import { BullMQRoom } from '../support/bullmq-room.js';
import { neededService } from '../support/needed-service.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const redis = neededService('redis');
const TIMEOUT = 60_000;

describe.skipIf(redis.missing)(`the network to Redis fails${redis.note}`, { timeout: 150_000 }, () => {
  let proxy: TcpProxy;
  let room: BullMQRoom;
  let plugin: BullMQPlugin;
  beforeEach(async () => {
    const { hostname, port } = new URL(redis.address);
    proxy = await TcpProxy.start(Number(port || 6379), hostname);
    room = new BullMQRoom(redis.address);
    plugin = await room.plugin({ url: `redis://127.0.0.1:${proxy.port}`, commandTimeout: 1_000 });
    await plugin.registerTask('ours', ({ args }) => args[0] ?? null);
    expect(await plugin.getResult(await plugin.submitTask('ours', { args: [0] }), { timeout: TIMEOUT })).toBe(0);
  });
  afterEach(async () => {
    await room.close();
    proxy.stop();
  });

  it('a worker that has just started has connectTimeout to connect; then health tells', async () => {
    const connectTimeout = 3_000;
    const starting = await room.plugin({ url: `redis://127.0.0.1:${proxy.port}`, connectTimeout });
    proxy.refuse();
    const began = Date.now();
    await starting.registerTask('ours', () => null);
    const early: unknown[] = [];
    while (Date.now() < began + connectTimeout / 2) {
      early.push(await starting.healthCheck());
      await pause(50);
    }
    expect(early.length).toBeGreaterThan(1);
    for (const health of early) expect(health).toMatchObject({ healthy: true });
    await eventually(async () => !(await starting.healthCheck()).healthy, 'health tells', TIMEOUT);
    expect((await starting.healthCheck()).details['message']).toMatch(/the worker of queue "default" is not connected/);
    await proxy.accept();
    await eventually(async () => (await starting.healthCheck()).healthy, 'health is on', TIMEOUT);
  });

  it('health sees that the blocking connection is down while calls work', async () => {
    proxy.refuse();
    const blocking = `name=${room.prefix}:${Buffer.from('default').toString('base64')}:w:`;
    await room.withRedis(async (client) => {
      const all = String(await client.client('LIST')).split('\n');
      const line = all.find((text) => text.includes(blocking)) ?? '';
      await client.client('KILL', 'ID', /\bid=(\d+)/.exec(line)?.[1] ?? '');
    });
    await eventually(async () => !(await plugin.healthCheck()).healthy, 'health tells', TIMEOUT);
    const { details } = await plugin.healthCheck();
    expect(details['message']).toMatch(/the worker of queue "default" is not connected/);
    const taskId = await plugin.submitTask('ours', { args: [1] });
    await proxy.accept();
    expect(await plugin.getResult(taskId, { timeout: TIMEOUT })).toBe(1);
    await eventually(async () => (await plugin.healthCheck()).healthy, 'health is back', TIMEOUT);
  });

  it('a network that went silent: calls end by commandTimeout, and work goes on when it is back', async () => {
    const taskId = await plugin.submitTask('ours', { args: [2], countdown: 1_500 });
    proxy.freeze();
    const code = expect.stringMatching(/^(TIMEOUT|UNAVAILABLE)$/) as string;
    await expect(plugin.submitTask('ours', { args: [3] })).rejects.toMatchObject({ code });
    await expect(plugin.ping({ timeout: 500 })).rejects.toMatchObject({ code });
    expect((await plugin.healthCheck()).healthy).toBe(false);
    const waiting = plugin.getResult(taskId, { timeout: TIMEOUT });
    proxy.cut();
    proxy.thaw();
    expect(await waiting).toBe(2);
    await eventually(async () => (await plugin.healthCheck()).healthy, 'health is back', TIMEOUT);
  });
});
