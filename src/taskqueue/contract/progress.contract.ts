import assert from 'node:assert/strict';
import { collect, rejectsWith, type ContractRunner } from '../../core/contract.js';
import { workingSubject, type TaskQueueHarness } from './task-harness.js';

/** @internal Progress reports. */
export function progressContract(runner: ContractRunner, harness: TaskQueueHarness): void {
  const { describe, it } = runner;
  describe('progress', () => {
    const subject = workingSubject(runner, harness);

    it('yields reports in order, the last one always, and ends with the task', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.progress', { kwargs: { steps: 4, ms: 400 } });
      const reports = await collect(plugin.task(taskId).progress());
      assert.ok(reports.length >= 1);
      const sequences = reports.map(({ sequence }) => sequence);
      assert.deepEqual(
        sequences,
        [...new Set(sequences)].sort((a, b) => a - b),
      );
      const { sequence, attempt, data, timestamp } = reports[reports.length - 1] ?? assert.fail();
      assert.deepEqual({ sequence, attempt, data }, { sequence: 4, attempt: 1, data: { step: 4, of: 4 } });
      assert.ok(Math.abs(Date.now() - timestamp) < 60_000);
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 4);
    });

    it('shows in the status while the task runs', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.progress', { kwargs: { steps: 3, ms: 500 } });
      for await (const _report of plugin.progress(taskId)) {
        const { state, progress } = await plugin.getStatus(taskId);
        if (state !== 'PROGRESS') continue;
        assert.equal(progress?.attempt, 1);
        await plugin.cancel(taskId);
        return;
      }
      assert.fail('the status never was PROGRESS');
    });

    it('starts with the latest report for who comes late', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.progress', { kwargs: { steps: 2, ms: 600 } });
      for await (const first of plugin.progress(taskId)) {
        for await (const late of plugin.progress(taskId)) {
          assert.ok(late.sequence >= first.sequence);
          return;
        }
      }
      assert.fail('no report came');
    });

    it('ends without error for a task that fails, and for one that has ended before', async () => {
      const { plugin } = subject;
      const failing = await plugin.submitTask('contract.fail', { kwargs: { message: 'on purpose' } });
      assert.deepEqual(await collect(plugin.progress(failing)), []);
      const done = await plugin.submitTask('contract.nothing');
      await plugin.getResult(done, { timeout: 15_000 });
      assert.deepEqual(await collect(plugin.progress(done)), []);
    });

    it('ends when its signal fires', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.nothing', { countdown: 60_000 });
      const signal = AbortSignal.timeout(100);
      await rejectsWith(() => collect(plugin.progress(taskId, { signal })), 'ABORTED');
    });
  });
}
