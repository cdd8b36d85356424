import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, rejectsWith } from '../../src/core/contract.js';
import type { CeleryPlugin } from '../../src/taskqueue/drivers/celery/celery.plugin.js';
import { BROKERS, CeleryRoom } from './celery-room.js';

/** Most time for one task, in ms. */
const TIMEOUT = 30_000;
/** How soon a task that runs has to be REVOKED, in ms. */
const SOON = 2_000;

for (const { broker, missing, note } of BROKERS) {
  describe.skipIf(missing)(`cancelling Celery tasks over ${broker}${note}`, { timeout: 90_000 }, () => {
    let room: CeleryRoom;
    let plugin: CeleryPlugin;
    /** As another process sees it. */
    let other: CeleryPlugin;
    beforeEach(async () => {
      room = await CeleryRoom.open({ broker });
      [plugin, other] = await Promise.all([room.plugin(), room.plugin({ appName: 'other' })]);
    });
    afterEach(() => room.close());

    const state = async (taskId: string) => (await plugin.getStatus(taskId)).state;
    const revoked = (taskId: string, timeout = TIMEOUT) =>
      rejectsWith(() => plugin.getResult(taskId, { timeout }), 'TASK_REVOKED');

    it('without a worker it is only requested, and a worker that starts later runs the task', async () => {
      const taskId = await plugin.submitTask('contract.add', { args: [1, 2] });
      expect(await plugin.cancel(taskId)).toBe('requested');
      expect(await other.cancel(taskId)).toBe('requested');
      expect(await state(taskId)).toBe('PENDING');
      await room.worker();
      expect(await plugin.getResult(taskId, { timeout: TIMEOUT })).toBe(3);
      expect(await plugin.cancel(taskId)).toBe('finished');
    });

    it('a task that no worker has taken is REVOKED by one that got the request', async () => {
      await room.worker({ concurrency: 1 });
      const running = await plugin.submitTask('contract.sleep', { args: [1_500] });
      await eventually(async () => (await state(running)) === 'STARTED', 'the first one runs', TIMEOUT);
      // More than the worker holds.
      const waiting = await plugin.submitTasks(Array.from({ length: 4 }, () => ({ name: 'contract.next' })));
      const last = waiting.at(-1) ?? '';
      expect(await other.cancel(last)).toBe('requested');
      expect((await revoked(last)).message).toContain('was revoked: revoked');
      expect(await plugin.getResult(running, { timeout: TIMEOUT })).toBe('slept');
      const counts = waiting.slice(0, -1).map((taskId) => plugin.getResult(taskId, { timeout: TIMEOUT }));
      expect(await Promise.all(counts)).toEqual([1, 2, 3]);
      // It has not run in between.
      const next = await plugin.submitTask('contract.next');
      expect(await plugin.getResult(next, { timeout: TIMEOUT })).toBe(4);
    });

    it('a task that is busy is REVOKED at once, by either plugin, and its worker goes on', async () => {
      const worker = await room.worker();
      for (const [canceller, name] of [
        [plugin, 'contract.spin'],
        [other, 'contract.sleep'],
      ] as const) {
        const before = await worker.childPids();
        const taskId = await plugin.submitTask(name, { args: [TIMEOUT] });
        await eventually(async () => (await state(taskId)) === 'STARTED', 'it runs', TIMEOUT);
        const started = performance.now();
        expect(await canceller.cancel(taskId)).toBe('requested');
        expect((await revoked(taskId)).message).toContain('terminated');
        expect(performance.now() - started).toBeLessThan(SOON);
        expect(await plugin.cancel(taskId)).toBe('finished');
        const isGone = async () =>
          (await worker.childPids()).filter((pid) => before.includes(pid)).length < before.length;
        await eventually(isGone, 'the process that ran it has ended', TIMEOUT);
      }
      const after = await plugin.submitTask('contract.add', { args: [1, 2] });
      expect(await plugin.getResult(after, { timeout: TIMEOUT })).toBe(3);
      expect(worker.alive).toBe(true);
    });

    it('a task that waits for its time is REVOKED before it comes', async () => {
      await room.worker();
      const taskId = await plugin.submitTask('contract.next', { countdown: 60_000 });
      expect(await other.cancel(taskId)).toBe('requested');
      await revoked(taskId);
      expect((await other.getStatus(taskId)).state).toBe('REVOKED');
    });

    it('an id that nobody knows is NOT_FOUND, also after the task was forgotten; bad ids are refused', async () => {
      await rejectsWith(() => plugin.cancel(randomUUID()), 'NOT_FOUND');
      await rejectsWith(() => plugin.cancel('a b'), 'INVALID_ARGUMENT');
      const taskId = await plugin.submitTask('contract.next');
      expect(await other.cancel(taskId)).toBe('requested');
      await other.extras.forget(taskId);
      const third = await room.plugin();
      await rejectsWith(() => third.cancel(taskId), 'NOT_FOUND');
    });
  });
}
