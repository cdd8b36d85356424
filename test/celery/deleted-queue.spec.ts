import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { celeryNeeds, CeleryRoom } from './celery-room.js';

const needs = celeryNeeds('rabbitmq');

describe.skipIf(needs.missing)(`a queue that somebody deletes${needs.note}`, () => {
  let room: CeleryRoom;
  beforeAll(async () => {
    room = await CeleryRoom.open({ broker: 'rabbitmq' });
  });
  afterAll(() => room.close());

  it('is declared again by the next submit, and that task is in it', async () => {
    const plugin = await room.plugin();
    await plugin.submitTask('before');
    await room.vhost?.deleteQueue('celery');
    const taskId = await plugin.submitTask('after');
    const queues = (await room.vhost?.queues()) ?? [];
    expect(queues.map(({ name }) => name)).toContain('celery');
    await room.worker();
    await expect(plugin.getResult(taskId, { timeout: 15_000 })).rejects.toMatchObject({
      code: 'TASK_FAILED',
      details: { type: 'NotRegistered' },
    });
  });

  it('is an error without declare: assert', async () => {
    const plugin = await room.plugin({ declare: 'passive', defaultQueue: 'gone' });
    await expect(plugin.submitTask('nowhere')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
