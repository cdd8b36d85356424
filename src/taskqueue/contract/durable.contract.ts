import assert from 'node:assert/strict';
import { rejectsWith, type ContractRunner } from '../../core/contract.js';
import { startTasks, workingSubject, type TaskQueueHarness } from './task-harness.js';

/** @internal What is still there after a restart. Needs `harness.reopen`, which a backend in memory does not have. */
export function durableContract(runner: ContractRunner, harness: TaskQueueHarness): void {
  const { describe, it } = runner;
  describe('restart', () => {
    const subject = workingSubject(runner, harness);

    it('supports.durableResults needs a harness that can reopen', () => {
      if (subject.plugin.supports.durableResults) assert.ok(harness.reopen);
    });

    if (harness.reopen === undefined) return;

    it('results and failures can be read again, exactly with supports.durableResults', async () => {
      const { plugin } = subject;
      const durable = plugin.supports.durableResults;
      const fine = await plugin.submitTask('contract.add', { args: [20, 22] });
      const failed = await plugin.submitTask('contract.fail', { kwargs: { message: 'on purpose' } });
      await plugin.getResult(fine, { timeout: 15_000 });
      await rejectsWith(() => plugin.getResult(failed, { timeout: 15_000 }), 'TASK_FAILED');
      const reopened = await subject.restart();
      if (!durable) {
        await rejectsWith(() => reopened.getResult(fine, { timeout: 200 }), 'TIMEOUT');
        return;
      }
      assert.equal(await reopened.getResult(fine, { timeout: 1_000 }), 42);
      const { details } = await rejectsWith(() => reopened.getResult(failed, { timeout: 1_000 }), 'TASK_FAILED');
      assert.equal(details['type'], 'ContractError');
      assert.equal(await reopened.cancel(fine), 'finished');
    });

    it('a task that was submitted before runs after', async () => {
      const taskId = await subject.plugin.submitTask('contract.echo', {
        args: ['kept'],
        countdown: 1_000,
        taskId: 'kept',
      });
      const reopened = await subject.restart();
      await startTasks(harness, reopened);
      const result = await reopened.getResult<{ args: unknown }>(taskId, { timeout: 15_000 });
      assert.deepEqual(result.args, ['kept']);
    });
  });
}
