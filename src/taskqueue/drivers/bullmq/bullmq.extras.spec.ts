import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BullMQRoom } from '../../../../test/support/bullmq-room.js';
import { neededService } from '../../../../test/support/needed-service.js';
import { eventually } from '../../../core/contract.js';
import type { BullMQPlugin } from './bullmq.plugin.js';

const redis = neededService('redis');
const timeout = 15_000;

describe.skipIf(redis.missing)(`what BullMQ can do beyond the port${redis.note}`, () => {
  let room: BullMQRoom;
  let plugin: BullMQPlugin;
  beforeEach(async () => {
    room = new BullMQRoom(redis.address);
    plugin = await room.plugin();
  });
  afterEach(() => room.close());

  it('a schedule submits a task again and again, until it is stopped', async () => {
    let runs = 0;
    await plugin.registerTask('tick', ({ args }) => (runs += Number(args[0])));
    await plugin.extras.repeat('ticks', { every: 100 }, 'tick', { args: [1] });
    await eventually(() => runs >= 3, 'it runs three times', timeout);
    expect(await plugin.extras.stopRepeating('ticks')).toBe(true);
    expect(await plugin.extras.stopRepeating('ticks')).toBe(false);
    await expect(plugin.extras.repeat('both', { every: 1, pattern: '* * * * *' }, 'tick')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('a flow: the parent runs after its children and gets their results', async () => {
    await plugin.registerTask('child', ({ args }) => args[0] ?? null);
    await plugin.registerTask('parent', ({ taskId }) => plugin.extras.childResults(taskId));
    const children = [
      { name: 'child', args: [1], taskId: 'one' },
      { name: 'child', args: [2], taskId: 'two' },
    ];
    const taskId = await plugin.extras.submitFlow({ name: 'parent', children });
    expect(await plugin.getResult(taskId, { timeout })).toEqual({ one: 1, two: 2 });
  });

  it('a flow whose child is cancelled fails', async () => {
    const child = { name: 'child', taskId: 'unwanted', queue: 'default' };
    const taskId = await plugin.extras.submitFlow({ name: 'parent', children: [child] });
    expect(await plugin.cancel('unwanted')).toBe('cancelled');
    expect((await plugin.getStatus('unwanted')).state).toBe('REVOKED');
    await plugin.registerTask('child', () => 'ran');
    await plugin.registerTask('parent', () => 'ran');
    await expect(plugin.getResult(taskId, { timeout })).rejects.toMatchObject({ code: 'TASK_FAILED' });
    await expect(plugin.getResult('unwanted', { timeout })).rejects.toMatchObject({ code: 'TASK_REVOKED' });
  });

  it('a failed or cancelled task can be given another attempt', async () => {
    let broken = true;
    await plugin.registerTask('mended', () => {
      if (broken) throw new Error('broken');
      return 'whole';
    });
    const failed = await plugin.submitTask('mended');
    await expect(plugin.getResult(failed, { timeout })).rejects.toMatchObject({ code: 'TASK_FAILED' });
    const cancelled = await plugin.submitTask('mended', { countdown: 60_000 });
    await plugin.cancel(cancelled);
    broken = false;
    for (const taskId of [failed, cancelled]) {
      await plugin.extras.retry(taskId);
      expect(await plugin.getResult(taskId, { timeout })).toBe('whole');
      await expect(plugin.extras.retry(taskId)).rejects.toMatchObject({ code: 'CONFLICT' });
    }
    expect((await plugin.getStatus(failed)).attempt).toBe(2);
    await expect(plugin.extras.retry('unknown')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('a task has a log', async () => {
    await plugin.registerTask('tells', async ({ taskId }) => {
      await plugin.extras.addLog(taskId, 'first');
      await plugin.extras.addLog(taskId, 'second');
    });
    const taskId = await plugin.submitTask('tells');
    await plugin.getResult(taskId, { timeout });
    expect(await plugin.extras.logs(taskId)).toEqual(['first', 'second']);
  });
});
