import assert from 'node:assert/strict';
import { eventually, rejectsWith, type ContractRunner } from '../../core/contract.js';
import { startTasks, workingSubject, type TaskQueueHarness } from './task-harness.js';

/** @internal When tasks start: countdown, eta, expiry, priority. */
export function scheduleContract(runner: ContractRunner, harness: TaskQueueHarness): void {
  const { describe, it } = runner;
  describe('schedule', () => {
    const subject = workingSubject(runner, harness);

    for (const [what, option] of Object.entries({
      countdown: () => ({ countdown: 600 }),
      eta: () => ({ eta: new Date(Date.now() + 600) }),
    })) {
      it(`${what}: the task does not start before its time`, async () => {
        const { plugin } = subject;
        const start = Date.now();
        const taskId = await plugin.submitTask('contract.add', { args: [1, 2], ...option() });
        assert.equal((await plugin.getStatus(taskId)).state, 'PENDING');
        assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 3);
        assert.ok(Date.now() - start >= 600, `it ran after ${Date.now() - start} ms`);
      });
    }

    it('an eta in the past starts at once, and one further away than a timer can hold waits', async () => {
      const { plugin } = subject;
      const past = await plugin.submitTask('contract.add', { args: [1, 2], eta: new Date(Date.now() - 60_000) });
      const far = await plugin.submitTask('contract.nothing', { countdown: 2 ** 31 + 60_000 });
      assert.equal(await plugin.getResult(past, { timeout: 15_000 }), 3);
      await rejectsWith(() => plugin.getResult(far, { timeout: 300 }), 'TIMEOUT');
    });

    const expiries: Record<string, () => Date | number> = { ms: () => 200, Date: () => new Date(Date.now() + 200) };
    for (const [what, expires] of Object.entries(expiries)) {
      it(`expires (${what}): a task that has not started by then is revoked`, async () => {
        const { plugin } = subject;
        const taskId = await plugin.submitTask('contract.nothing', { countdown: 600, expires: expires() });
        await rejectsWith(() => plugin.getResult(taskId, { timeout: 15_000 }), 'TASK_REVOKED');
        const { state, error } = await plugin.getStatus(taskId);
        assert.equal(state, 'REVOKED');
        assert.equal(error, null);
      });
    }

    it('expires: a task that has started in time is left alone', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.sleep', { kwargs: { ms: 3_000 }, expires: 2_500 });
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 'slept');
    });

    it('an unknown task is PENDING without a name', async () => {
      const status = await subject.plugin.getStatus('contract-unknown');
      const { taskId, name, state, attempt, progress, error, startedAt, finishedAt } = status;
      assert.deepEqual(
        { taskId, name, state, attempt },
        { taskId: 'contract-unknown', name: null, state: 'PENDING', attempt: 0 },
      );
      assert.deepEqual(
        { progress, error, startedAt, finishedAt },
        { progress: null, error: null, startedAt: null, finishedAt: null },
      );
    });
  });

  describe('priority', () => {
    it('starts higher priorities first and equal ones in order; without supports.priority it is UNSUPPORTED', async () => {
      const plugin = await (harness.serial ?? harness.create).call(harness);
      try {
        await plugin.initialize();
        if (!plugin.supports.priority) {
          await rejectsWith(() => plugin.submitTask('contract.next', { priority: 5 }), 'UNSUPPORTED');
          await plugin.submitTask('contract.next', { priority: 0 });
          return;
        }
        assert.ok(harness.serial, 'a driver with supports.priority needs harness.serial');
        const priorities = [0, 9, 5, 5, undefined, 1];
        const ids: string[] = [];
        for (const priority of priorities) {
          ids.push(await plugin.submitTask('contract.next', priority === undefined ? {} : { priority }));
        }
        await startTasks(harness, plugin);
        await eventually(
          async () => {
            const states = await Promise.all(ids.map(async (id) => (await plugin.getStatus(id)).state));
            return states.every((state) => state === 'SUCCESS');
          },
          'all tasks of the batch end',
          15_000,
        );
        const order = await Promise.all(ids.map((id) => plugin.getResult<number>(id)));
        assert.deepEqual(order, [5, 1, 2, 3, 6, 4]);
      } finally {
        await plugin.shutdown();
        await harness.cleanup?.(plugin);
      }
    });
  });
}
