import assert from 'node:assert/strict';
import { eventually, rejectsWith, type ContractRunner } from '../../core/contract.js';
import { workingSubject, type TaskQueueHarness } from './task-harness.js';

/** @internal Attempts: retries by policy, and workers that die. */
export function retryContract(runner: ContractRunner, harness: TaskQueueHarness): void {
  const { describe, it } = runner;
  describe('retry', () => {
    const subject = workingSubject(runner, harness);

    it('runs again until it succeeds, with backoff', async () => {
      const { plugin } = subject;
      const retry = { attempts: 3, delay: 200, factor: 2 };
      const submit = (): Promise<string> => plugin.submitTask('contract.flaky', { kwargs: { failures: 2 }, retry });
      if (!plugin.supports.submitRetry) {
        await rejectsWith(submit, 'UNSUPPORTED');
        return;
      }
      const start = Date.now();
      const taskId = await submit();
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 3);
      assert.ok(Date.now() - start >= 600, `200 ms and 400 ms of backoff were not kept: ${Date.now() - start} ms`);
      const { state, attempt, error } = await plugin.getStatus(taskId);
      assert.deepEqual({ state, attempt, error }, { state: 'SUCCESS', attempt: 3, error: null });
    });

    it('fails with the last error when the attempts are used up', async () => {
      const { plugin } = subject;
      if (!plugin.supports.submitRetry) return;
      const retry = { attempts: 2, delay: 20 };
      const taskId = await plugin.submitTask('contract.flaky', { kwargs: { failures: 9 }, retry });
      const { details } = await rejectsWith(() => plugin.getResult(taskId, { timeout: 15_000 }), 'TASK_FAILED');
      assert.match(String(details['message']), /attempt 2 fails/);
      assert.equal((await plugin.getStatus(taskId)).attempt, 2);
    });

    it('is RETRY with the error while it waits, and can be cancelled there', async () => {
      const { plugin } = subject;
      if (!plugin.supports.submitRetry) return;
      const retry = { attempts: 2, delay: 60_000 };
      const taskId = await plugin.submitTask('contract.flaky', { kwargs: { failures: 9 }, retry });
      await eventually(async () => (await plugin.getStatus(taskId)).state === 'RETRY', 'the task is RETRY', 15_000);
      const { attempt, error } = await plugin.getStatus(taskId);
      assert.deepEqual({ attempt, type: error?.type }, { attempt: 1, type: 'ContractError' });
      assert.notEqual(await plugin.cancel(taskId), 'finished');
      await rejectsWith(() => plugin.getResult(taskId, { timeout: 15_000 }), 'TASK_REVOKED');
    });

    it('a task whose worker died runs again with the same id and the next attempt', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.exit', { kwargs: { times: 1 } });
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 2);
      assert.equal((await plugin.getStatus(taskId)).attempt, 2);
    });

    it('a task that kills every worker fails in the end, and others run on', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.exit', { kwargs: { times: 1_000 } });
      const { details } = await rejectsWith(() => plugin.getResult(taskId, { timeout: 18_000 }), 'TASK_FAILED');
      assert.ok(String(details['message']).length > 0);
      const next = await plugin.submitTask('contract.add', { args: [2, 3] });
      assert.equal(await plugin.getResult(next, { timeout: 15_000 }), 5);
    });
  });
}
