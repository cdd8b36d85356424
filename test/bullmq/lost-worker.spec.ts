import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import { BullMQRoom } from '../support/bullmq-room.js';
import { neededService } from '../support/needed-service.js';

const redis = neededService('redis');
const CHILD = fileURLToPath(new URL('worker.child.ts', import.meta.url));
const TIMEOUT = 60_000;

describe.skipIf(redis.missing)(`a worker is lost${redis.note}`, { timeout: 180_000 }, () => {
  let room: BullMQRoom;
  const children: ChildProcess[] = [];
  beforeEach(() => void (room = new BullMQRoom(redis.address)));
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await room.close();
  });

  /** Runs a worker of its own process until it has said that the task runs, and then `kill -9`. */
  async function runAndKill(): Promise<unknown> {
    const child = spawn(process.execPath, ['--import', 'tsx', CHILD, room.url, room.prefix], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const [line] = (await once(child.stdout, 'data', { signal: AbortSignal.timeout(TIMEOUT) })) as [Buffer];
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
    return JSON.parse(line.toString());
  }

  it('kill -9: the task runs again elsewhere with the next attempt', async () => {
    const plugin = await room.plugin({ lockDuration: 500, stalledInterval: 500 });
    const taskId = await plugin.submitTask('mortal');
    expect(await runAndKill()).toEqual({ attempt: 1 });
    await plugin.registerTask('mortal', ({ attempt }) => attempt);
    expect(await plugin.getResult(taskId, { timeout: TIMEOUT })).toBe(2);
    expect(await plugin.getStatus(taskId)).toMatchObject({ state: 'SUCCESS', attempt: 2 });
  });

  it('a task that loses every worker is FAILURE at the limit', async () => {
    const plugin = await room.plugin({ lockDuration: 500, stalledInterval: 500, maxStalledCount: 1 });
    const taskId = await plugin.submitTask('mortal');
    expect(await runAndKill()).toEqual({ attempt: 1 });
    expect(await runAndKill()).toEqual({ attempt: 2 });
    let runs = 0;
    await plugin.registerTask('mortal', () => (runs += 1));
    await expect(plugin.getResult(taskId, { timeout: TIMEOUT })).rejects.toMatchObject({
      code: 'TASK_FAILED',
      details: { type: 'WorkerLost' },
    });
    expect(runs).toBe(0);
    expect((await plugin.getStatus(taskId)).attempt).toBe(2);
  });

  it('a request to stop a task outlives the worker that ran it', async () => {
    const plugin = await room.plugin({ lockDuration: 500, stalledInterval: 500 });
    const taskId = await plugin.submitTask('mortal');
    await runAndKill();
    expect(['requested', 'cancelled']).toContain(await plugin.cancel(taskId));
    let runs = 0;
    await plugin.registerTask('mortal', () => (runs += 1));
    await expect(plugin.getResult(taskId, { timeout: TIMEOUT })).rejects.toMatchObject({ code: 'TASK_REVOKED' });
    expect(runs).toBe(0);
  });

  it('connections that the server closes come back, the blocking one too', async () => {
    const plugin = await room.plugin();
    await plugin.registerTask('ours', () => 'served');
    expect(await plugin.getResult(await plugin.submitTask('ours'), { timeout: TIMEOUT })).toBe('served');
    for (let round = 0; round < 3; round += 1) {
      await room.withRedis(async (client) => {
        const all = String(await client.client('LIST')).split('\n');
        for (const line of all.filter((text) => text.includes(`name=${room.prefix}`))) {
          await client.client('KILL', 'ID', /\bid=(\d+)/.exec(line)?.[1] ?? '');
        }
      });
      await eventually(async () => (await plugin.healthCheck()).healthy, 'health is back', TIMEOUT);
      expect(await plugin.getResult(await plugin.submitTask('ours'), { timeout: TIMEOUT })).toBe('served');
    }
  });
});
