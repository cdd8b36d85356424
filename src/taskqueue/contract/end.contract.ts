import assert from 'node:assert/strict';
import { eventually, rejectsWith, type ContractRunner } from '../../core/contract.js';
import type { TaskQueuePlugin } from '../taskqueue.plugin.js';
import { workingSubject, type TaskQueueHarness } from './task-harness.js';

/** @internal Ending tasks from outside: cancel and time limits. */
export function endContract(runner: ContractRunner, harness: TaskQueueHarness): void {
  const { describe, it } = runner;
  describe('cancel and time limit', () => {
    const subject = workingSubject(runner, harness);

    const started = async (plugin: TaskQueuePlugin, taskId: string): Promise<void> => {
      const runs = async (): Promise<boolean> =>
        ['STARTED', 'PROGRESS'].includes((await plugin.getStatus(taskId)).state);
      await eventually(runs, 'the task starts', 15_000);
    };

    it('a task that waits for its time does not run after cancel', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.nothing', { countdown: 1_000 });
      // A backend that cannot tell whether a worker has the task already answers `requested`.
      assert.notEqual(await plugin.cancel(taskId), 'finished');
      await rejectsWith(() => plugin.getResult(taskId, { timeout: 15_000 }), 'TASK_REVOKED');
      assert.equal((await plugin.getStatus(taskId)).state, 'REVOKED');
      assert.equal((await plugin.getStatus(taskId)).attempt, 0);
    });

    it('a running task is asked to stop, and is REVOKED when it has', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.sleep', { kwargs: { ms: 60_000 } });
      await started(plugin, taskId);
      assert.equal(await plugin.cancel(taskId), 'requested');
      await rejectsWith(() => plugin.getResult(taskId, { timeout: 15_000 }), 'TASK_REVOKED');
      assert.equal((await plugin.getStatus(taskId)).state, 'REVOKED');
    });

    it('a running task that does not listen is ended, and others run on', async () => {
      const { plugin } = subject;
      if (!plugin.supports.hardTimeLimit) return;
      const taskId = await plugin.submitTask('contract.spin', { kwargs: { ms: 60_000 } });
      await started(plugin, taskId);
      assert.equal(await plugin.cancel(taskId), 'requested');
      await rejectsWith(() => plugin.getResult(taskId, { timeout: 18_000 }), 'TASK_REVOKED');
      const next = await plugin.submitTask('contract.add', { args: [2, 3] });
      assert.equal(await plugin.getResult(next, { timeout: 15_000 }), 5);
    });

    it('a finished task stays as it is', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.add', { args: [1, 2] });
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 3);
      assert.equal(await plugin.cancel(taskId), 'finished');
      assert.equal(await plugin.getResult(taskId), 3);
    });

    it('cancel of an unknown task is NOT_FOUND', async () => {
      await rejectsWith(() => subject.plugin.cancel('contract-unknown'), 'NOT_FOUND');
    });

    it('a task that takes longer than its time limit fails', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.sleep', { kwargs: { ms: 60_000 }, timeLimit: 1_000 });
      const { details } = await rejectsWith(() => plugin.getResult(taskId, { timeout: 18_000 }), 'TASK_FAILED');
      assert.match(String(details['type']), /TimeLimitExceeded/);
      assert.equal((await plugin.getStatus(taskId)).state, 'FAILURE');
    });

    it('a task that stays within its time limit succeeds', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.add', { args: [1, 2], timeLimit: 60_000 });
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 3);
    });

    it('with supports.hardTimeLimit also one that ignores its signal fails; without, it runs to its end', async () => {
      const { plugin } = subject;
      const hard = plugin.supports.hardTimeLimit;
      const kwargs = { ms: hard ? 60_000 : 2_000 };
      const taskId = await plugin.submitTask('contract.spin', { kwargs, timeLimit: 1_000 });
      if (hard) await rejectsWith(() => plugin.getResult(taskId, { timeout: 18_000 }), 'TASK_FAILED');
      else assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 'spun');
      const next = await plugin.submitTask('contract.add', { args: [2, 3] });
      assert.equal(await plugin.getResult(next, { timeout: 15_000 }), 5);
    });
  });
}
