import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import { HubError } from '../../src/core/errors.js';
import type { BullMQPlugin } from '../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';
import { BullMQRoom } from '../support/bullmq-room.js';
import { neededService } from '../support/needed-service.js';
import { RedisServer } from '../support/redis-server.js';

const redis = neededService('redis');
const CHILD = fileURLToPath(new URL('chaos.child.ts', import.meta.url));
/** Tasks of the run; HUB_CHAOS_TASKS sets another number. */
const TASKS = Number(process.env['HUB_CHAOS_TASKS'] ?? 10_000);
const BATCH = 50;

describe.skipIf(redis.missing)(`tasks through all kinds of faults${redis.note}`, { timeout: 300_000 }, () => {
  let server: RedisServer;
  let room: BullMQRoom;
  const children = new Set<ChildProcess>();
  beforeEach(async () => {
    // What was acknowledged has to survive `kill -9` of the server.
    server = await RedisServer.create({ args: ['--appendfsync', 'always'] });
    room = new BullMQRoom(server.url);
  });
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    await server.start();
    await room.close();
    await server.remove();
  });

  function startWorker(): ChildProcess {
    const child = spawn(process.execPath, ['--import', 'tsx', CHILD, room.url, room.prefix], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    children.add(child);
    return child;
  }

  async function killConnections(): Promise<void> {
    await room.withRedis(async (client) => client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'));
  }

  /** Submits until the backend has it, as callers do: with ids of their own. */
  async function submit(plugin: BullMQPlugin, ids: readonly string[]): Promise<void> {
    for (;;) {
      try {
        await plugin.submitTasks(ids.map((taskId) => ({ name: 'double', args: [Number(taskId.slice(2))], taskId })));
        return;
      } catch (error) {
        if (!HubError.is(error, 'UNAVAILABLE', 'TIMEOUT')) throw error;
        await wait(100);
      }
    }
  }

  it('every task that was submitted ends with its result', async () => {
    const options = { lockDuration: 1_000, stalledInterval: 1_000, commandTimeout: 2_000, maxStalledCount: 50 };
    const plugin = await room.plugin(options);
    let worker = startWorker();
    startWorker();
    await eventually(async () => (await plugin.ping({ timeout: 10_000 })) === 2, 'both workers are there', 60_000);
    const ids = Array.from({ length: TASKS }, (_item, index) => `t-${index}`);
    const faults = [
      () => killConnections(),
      () => server.restart(),
      async () => {
        const ended = new Promise((resolve) => worker.once('exit', resolve));
        worker.kill('SIGKILL');
        await ended;
        children.delete(worker);
        worker = startWorker();
      },
      async () => {
        await server.kill();
        await wait(300);
        await server.start();
      },
      () => killConnections(),
    ];
    const results: Promise<unknown>[] = [];
    const each = Math.ceil(TASKS / (faults.length + 1));
    for (let start = 0; start < TASKS; start += BATCH) {
      const batch = ids.slice(start, start + BATCH);
      await submit(plugin, batch);
      results.push(...batch.map((id) => plugin.getResult(id, { timeout: 120_000 }).catch((error: unknown) => error)));
      if (Math.floor((start + BATCH) / each) > Math.floor(start / each)) await faults.shift()?.();
    }
    expect(faults).toHaveLength(0);
    const ended = await Promise.all(results);
    expect(ended.filter((result, index) => result !== index * 2)).toEqual([]);
    const { details } = await plugin.healthCheck();
    expect(details).toMatchObject({ waitedFor: 0 });
  });
});
