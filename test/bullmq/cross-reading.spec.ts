import { UnrecoverableError } from 'bullmq';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import type { TaskContext } from '../../src/taskqueue/taskqueue.types.js';
import { BullMQRoom } from '../support/bullmq-room.js';
import { neededService } from '../support/needed-service.js';

const redis = neededService('redis');

describe.skipIf(redis.missing)(`the hub and plain BullMQ on one queue${redis.note}`, () => {
  let room: BullMQRoom;
  beforeEach(() => void (room = new BullMQRoom(redis.address)));
  afterEach(() => room.close());

  it('a plain worker serves a task of the hub, with result and progress', async () => {
    const plugin = await room.plugin();
    room.worker('plain', async (job) => {
      await job.updateProgress(50);
      await job.updateProgress({ note: 'nearly' });
      return { name: job.name, ...(job.data as object) };
    });
    const taskId = await plugin.submitTask('add', { args: [1, 2], kwargs: { a: 1 }, queue: 'plain', countdown: 200 });
    const reports: unknown[] = [];
    for await (const { sequence, attempt, data } of plugin.progress(taskId)) reports.push({ sequence, attempt, data });
    expect(reports.at(-1)).toMatchObject({ attempt: 1, data: { note: 'nearly' } });
    expect(await plugin.getResult(taskId, { timeout: 15_000 })).toEqual({
      name: 'add',
      args: [1, 2],
      kwargs: { a: 1 },
    });
    expect(await plugin.getStatus(taskId)).toMatchObject({ name: 'add', state: 'SUCCESS', attempt: 1 });
  });

  it('what a plain worker throws is the failure, after the attempts of the retry policy', async () => {
    const plugin = await room.plugin();
    let runs = 0;
    room.worker('plain', async () => {
      runs += 1;
      throw new RangeError('too far');
    });
    const retry = { attempts: 3, delay: 20 };
    const taskId = await plugin.submitTask('far', { queue: 'plain', retry });
    await expect(plugin.getResult(taskId, { timeout: 15_000 })).rejects.toMatchObject({
      code: 'TASK_FAILED',
      details: { type: 'RangeError', message: 'too far', stack: expect.stringContaining('cross-reading') as string },
    });
    expect(runs).toBe(3);
    expect(await plugin.getStatus(taskId)).toMatchObject({ state: 'FAILURE', attempt: 3 });
  });

  it('a plain worker can say that a task is revoked', async () => {
    const plugin = await room.plugin();
    room.worker('plain', async () => Promise.reject(new UnrecoverableError('TASK_REVOKED: not today')));
    const taskId = await plugin.submitTask('later', { queue: 'plain' });
    await expect(plugin.getResult(taskId, { timeout: 15_000 })).rejects.toMatchObject({ code: 'TASK_REVOKED' });
    expect((await plugin.getStatus(taskId)).state).toBe('REVOKED');
  });

  it('a plain queue sees a task of the hub as a job', async () => {
    const plugin = await room.plugin();
    const queue = room.queue('default');
    const options = { args: [1], kwargs: { a: 'b' }, headers: { h: 1 }, priority: 7, timeLimit: 5_000 };
    const taskId = await plugin.submitTask('seen', options);
    const job = await queue.getJob(taskId);
    expect(job?.name).toBe('seen');
    expect(job?.data).toEqual({ args: [1], kwargs: { a: 'b' }, headers: { h: 1 }, timeLimit: 5_000 });
    expect(job?.priority).toBe(3);
    expect(await plugin.cancel(taskId)).toBe('cancelled');
    expect(await job?.getState()).toBe('failed');
    expect((await queue.getJob(taskId))?.failedReason).toMatch(/^TASK_REVOKED: /);
  });

  const calls: Record<string, [data: unknown, called: Pick<TaskContext, 'args' | 'kwargs'>]> = {
    'an envelope': [
      { args: [1], kwargs: { a: 2 } },
      { args: [1], kwargs: { a: 2 } },
    ],
    'an envelope with named arguments only': [{ kwargs: { a: 2 } }, { args: [], kwargs: { a: 2 } }],
    'an object': [
      { a: 2, args: [1] },
      { args: [], kwargs: { a: 2, args: [1] } },
    ],
    'a list': [[1, 2], { args: [1, 2], kwargs: {} }],
    'a text': ['one', { args: ['one'], kwargs: {} }],
    nothing: [undefined, { args: [], kwargs: {} }],
  };
  for (const [what, [data, called]] of Object.entries(calls)) {
    it(`a task of the hub runs for a plain job with ${what} as data`, async () => {
      const plugin = await room.plugin();
      await plugin.registerTask('ours', ({ args, kwargs, taskId }) => ({ args: [...args], kwargs, taskId }));
      const queue = room.queue('default');
      const job = await queue.add('ours', data, { jobId: 'plain-1' });
      expect(await plugin.getResult('plain-1', { timeout: 15_000 })).toEqual({ ...called, taskId: 'plain-1' });
      await eventually(() => job.isCompleted(), 'the plain job is completed');
      expect((await queue.getJob('plain-1'))?.returnvalue).toEqual({ ...called, taskId: 'plain-1' });
    });
  }

  it("a plain job's own attempts and backoff hold", async () => {
    const plugin = await room.plugin();
    const attempts: number[] = [];
    await plugin.registerTask('ours', ({ attempt }) => {
      attempts.push(attempt);
      if (attempt < 3) throw new Error(`attempt ${attempt} fails`);
      return 'at last';
    });
    await room.queue('default').add('ours', {}, { jobId: 'plain-2', attempts: 3, backoff: 20 });
    expect(await plugin.getResult('plain-2', { timeout: 15_000 })).toBe('at last');
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('a job that nobody here has registered goes back, and a plain worker gets it', async () => {
    const plugin = await room.plugin({ unknownTaskDelay: 300 });
    await plugin.registerTask('ours', () => 'ours');
    const theirs = await plugin.submitTask('theirs');
    expect(await plugin.getResult(await plugin.submitTask('ours'), { timeout: 15_000 })).toBe('ours');
    const queue = room.queue('default');
    await eventually(async () => (await queue.getDelayedCount()) === 1, 'the job is put back');
    expect(await plugin.getStatus(theirs)).toMatchObject({ state: 'PENDING', attempt: 0, startedAt: null });
    await plugin.drain();
    room.worker('default', async (job) => `${job.name} by another`);
    expect(await plugin.getResult(theirs, { timeout: 15_000 })).toBe('theirs by another');
    expect((await plugin.getStatus(theirs)).attempt).toBe(1);
  });
});
