import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BullMQRoom } from '../../../../test/support/bullmq-room.js';
import { neededService } from '../../../../test/support/needed-service.js';
import { eventually } from '../../../core/contract.js';
import type { BullMQPlugin } from './bullmq.plugin.js';

const redis = neededService('redis');

describe.skipIf(redis.missing)(`several plugins on one Redis${redis.note}`, () => {
  let room: BullMQRoom;
  let submitter: BullMQPlugin;
  let worker: BullMQPlugin;
  beforeEach(async () => {
    room = new BullMQRoom(redis.address);
    submitter = await room.plugin();
    worker = await room.plugin({ queues: { gpu: { concurrency: 1 } } });
  });
  afterEach(() => room.close());

  it('one cancels what the other runs', async () => {
    await worker.registerTask('endless', ({ signal }) =>
      wait(60_000, undefined, { signal }).catch((error: unknown) => Promise.reject(error as Error)),
    );
    const taskId = await submitter.submitTask('endless');
    await eventually(async () => (await submitter.getStatus(taskId)).state === 'STARTED', 'it starts');
    expect(await submitter.cancel(taskId)).toBe('requested');
    await expect(submitter.getResult(taskId, { timeout: 15_000 })).rejects.toMatchObject({ code: 'TASK_REVOKED' });
    expect(await worker.getStatus(taskId)).toMatchObject({ state: 'REVOKED', attempt: 1 });
    expect(await submitter.cancel(taskId)).toBe('finished');
  });

  it('one that has nothing to do with a task finds it in whichever queue', async () => {
    await worker.registerTask('ours', () => 'found');
    const taskId = await submitter.submitTask('ours', { queue: 'gpu' });
    const elsewhere = await submitter.submitTask('ours', { queue: 'nobody-works-on-it' });
    const third = await room.plugin();
    expect(await third.getResult(taskId, { timeout: 15_000 })).toBe('found');
    expect(await third.getStatus(elsewhere)).toMatchObject({ name: 'ours', state: 'PENDING' });
    expect(await third.cancel(elsewhere)).toBe('cancelled');
    await expect(submitter.getResult(elsewhere, { timeout: 15_000 })).rejects.toMatchObject({ code: 'TASK_REVOKED' });
  });

  it('one that waits for an id before it is submitted gets its result', async () => {
    await worker.registerTask('ours', () => 'early bird');
    const taskId = `early-${randomUUID()}`;
    const waiting = submitter.getResult(taskId, { timeout: 15_000 });
    await worker.submitTask('ours', { taskId });
    expect(await waiting).toBe('early bird');
  });

  it('a cancelled id is still taken', async () => {
    const taskId = await submitter.submitTask('ours', { taskId: 'taken' });
    expect(await submitter.cancel(taskId)).toBe('cancelled');
    await worker.registerTask('ours', () => 'ran');
    expect(await submitter.submitTask('ours', { taskId: 'taken' })).toBe(taskId);
    await worker.getResult(await submitter.submitTask('ours', { countdown: 200 }), { timeout: 15_000 });
    expect((await submitter.getStatus(taskId)).state).toBe('REVOKED');
  });

  it('each tells of the workers of all, and of those that have left no more', async () => {
    expect(await submitter.workers()).toEqual([]);
    await worker.registerTask('ours', () => null);
    await submitter.registerTask('others', () => null);
    const tasks = (await submitter.workers()).map((info) => info.tasks.join());
    expect(tasks.sort()).toEqual(['others', 'ours']);
    expect(await worker.ping()).toBe(2);
    await submitter.shutdown();
    expect((await worker.workers()).map((info) => info.tasks.join())).toEqual(['ours']);
  });

  it('a result past its time is RESULT_EXPIRED, and a removed one for who knew it', async () => {
    const shortly = await room.plugin({ resultTtl: 1_000 });
    await worker.registerTask('ours', () => 'soon gone');
    const taskId = await shortly.submitTask('ours');
    expect(await shortly.getResult(taskId, { timeout: 15_000 })).toBe('soon gone');
    const expired = async (): Promise<boolean> =>
      shortly.getResult(taskId, { timeout: 100 }).then(
        () => false,
        (error: { code: string }) => error.code === 'RESULT_EXPIRED',
      );
    await eventually(expired, 'the result expires', 15_000);
    await room.queue('default').remove(taskId);
    await expect(shortly.getResult(taskId)).rejects.toMatchObject({ code: 'RESULT_EXPIRED' });
    await expect(submitter.getResult(taskId, { timeout: 100 })).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('a queue has no more at once than it is given', async () => {
    let running = 0;
    let most = 0;
    await worker.registerTask('counted', async () => {
      most = Math.max(most, (running += 1));
      await wait(50);
      running -= 1;
    });
    const ids = await submitter.submitTasks([1, 2, 3, 4].map(() => ({ name: 'counted', queue: 'gpu' })));
    await Promise.all(ids.map((id) => submitter.getResult(id, { timeout: 15_000 })));
    expect(most).toBe(1);
  });
});
