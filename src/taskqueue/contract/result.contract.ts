import assert from 'node:assert/strict';
import { rejectsWith, type ContractRunner } from '../../core/contract.js';
import { workingSubject, type TaskQueueHarness } from './task-harness.js';

/** @internal Results, failures and waiting for them. */
export function resultContract(runner: ContractRunner, harness: TaskQueueHarness): void {
  const { describe, it } = runner;
  describe('result', () => {
    const subject = workingSubject(runner, harness);

    it('a finished task is SUCCESS with its times, and its result can be read again', async () => {
      const { plugin } = subject;
      const before = Date.now();
      const taskId = await plugin.submitTask('contract.add', { args: [40, 2] });
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 42);
      assert.equal(await plugin.getResult(taskId), 42);
      const { name, state, attempt, error, submittedAt, startedAt, finishedAt } = await plugin.getStatus(taskId);
      assert.deepEqual(
        { name, state, attempt, error },
        { name: 'contract.add', state: 'SUCCESS', attempt: 1, error: null },
      );
      const times = [submittedAt, startedAt, finishedAt].filter((time) => time !== null);
      assert.deepEqual(
        times,
        [...times].sort((a, b) => a - b),
      );
      for (const time of times) assert.ok(time >= before - 1_000 && time <= Date.now() + 1_000);
    });

    it('a task that returns nothing has the result null', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.nothing');
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), null);
    });

    it('a task that throws is TASK_FAILED with type, message and stack, after one attempt', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.fail', { kwargs: { message: 'on purpose' } });
      const { details, message } = await rejectsWith(
        () => plugin.getResult(taskId, { timeout: 15_000 }),
        'TASK_FAILED',
      );
      assert.equal(details['type'], 'ContractError');
      assert.match(String(details['message']), /on purpose/);
      assert.match(String(details['stack']), /contract/i);
      assert.match(message, /on purpose/);
      const { state, attempt, error } = await plugin.getStatus(taskId);
      assert.deepEqual({ state, attempt, type: error?.type }, { state: 'FAILURE', attempt: 1, type: 'ContractError' });
    });

    it('a result that JSON cannot carry is a failure of the task', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.unserializable');
      const { details } = await rejectsWith(() => plugin.getResult(taskId, { timeout: 15_000 }), 'TASK_FAILED');
      assert.ok(String(details['message']).length > 0);
      assert.equal((await plugin.getStatus(taskId)).state, 'FAILURE');
    });

    it('getResult gives up at its timeout, and the task goes on', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.sleep', { kwargs: { ms: 1_500 } });
      const start = Date.now();
      await rejectsWith(() => plugin.getResult(taskId, { timeout: 200 }), 'TIMEOUT');
      assert.ok(Date.now() - start < 1_400, 'the timeout was not kept');
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 'slept');
    });

    it('getResult of an unknown task ends by its timeout', async () => {
      await rejectsWith(() => subject.plugin.getResult('contract-unknown', { timeout: 100 }), 'TIMEOUT');
    });

    it('getResult refuses a timeout that is none', async () => {
      await rejectsWith(() => subject.plugin.getResult('contract-x', { timeout: Number.NaN }), 'INVALID_ARGUMENT');
    });

    it('getResult ends when its signal fires, and the task goes on', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.sleep', { kwargs: { ms: 1_000 } });
      await rejectsWith(() => plugin.getResult(taskId, { signal: AbortSignal.timeout(100) }), 'ABORTED');
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 'slept');
    });

    it('several callers can wait for one task, and a handle does the same', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.sleep', { kwargs: { ms: 300 } });
      const handle = plugin.task(taskId);
      assert.equal(handle.taskId, taskId);
      const waiting = [plugin.getResult(taskId, { timeout: 15_000 }), handle.result({ timeout: 15_000 })];
      assert.deepEqual(await Promise.all(waiting), ['slept', 'slept']);
      assert.equal((await handle.status()).state, 'SUCCESS');
      assert.equal(await handle.cancel(), 'finished');
    });

    it('shutdown ends a wait', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.nothing', { countdown: 60_000 });
      const waiting = rejectsWith(() => plugin.getResult(taskId, { timeout: 15_000 }), 'CLOSED');
      await plugin.shutdown();
      await waiting;
    });
  });
}
