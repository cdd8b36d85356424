import assert from 'node:assert/strict';
import { contractSubject, rejectsWith, type ContractRunner } from '../../core/contract.js';
import type { JsonValue } from '../../core/json.js';
import type { TaskSubmission } from '../taskqueue.types.js';
import { CONTRACT_QUEUE, workingSubject, type TaskQueueHarness } from './task-harness.js';

const WRONG: Record<string, Omit<TaskSubmission, 'name'> & { name?: string }> = {
  'an empty name': { name: '' },
  'a name with a space': { name: 'contract echo' },
  'a task id that is a whole number': { taskId: '12' },
  'a task id with a colon': { taskId: 'a:b' },
  'an empty task id': { taskId: '' },
  'a task id of 129 characters': { taskId: 'x'.repeat(129) },
  'a queue name with a space': { queue: 'a b' },
  'priority 10': { priority: 10 },
  'priority 1.5': { priority: 1.5 },
  'a negative countdown': { countdown: -1 },
  'countdown together with eta': { countdown: 1, eta: new Date() },
  'an eta that is no date': { eta: new Date(Number.NaN) },
  'a negative expiry': { expires: -1 },
  'a time limit of 0': { timeLimit: 0 },
};

/** @internal Submitting: what arrives, identity, what is refused. */
export function submitContract(runner: ContractRunner, harness: TaskQueueHarness): void {
  const { describe, it } = runner;
  describe('submit', () => {
    const subject = workingSubject(runner, harness);

    it('carries args, kwargs, headers, id, name and attempt to the task', async () => {
      const { plugin } = subject;
      const args: JsonValue[] = [1, 'two', null, { three: [3.5, true] }, 'ünï ✓'];
      const task = { args, kwargs: { deep: { list: [1, 2] }, empty: {} }, headers: { trace: 'abc' } };
      const taskId = await plugin.submitTask('contract.echo', { ...task, taskId: 'contract-echo_1.x' });
      assert.equal(taskId, 'contract-echo_1.x');
      const result = await plugin.getResult(taskId, { timeout: 15_000 });
      assert.deepEqual(result, { ...task, taskId, name: 'contract.echo', attempt: 1 });
    });

    it('gives each task an id of its own when none is given', async () => {
      const { plugin } = subject;
      const ids = [await plugin.submitTask('contract.nothing'), await plugin.submitTask('contract.nothing')];
      assert.notEqual(ids[0], ids[1]);
      for (const id of ids) assert.match(id, /^[A-Za-z0-9_.-]{1,128}$/);
    });

    it('submitTasks resolves to the ids in order, and runs them all', async () => {
      const { plugin } = subject;
      const tasks = [1, 2, 3].map((n) => ({ name: 'contract.add', args: [n, 10], taskId: `contract-add-${n}` }));
      assert.deepEqual(await plugin.submitTasks(tasks), ['contract-add-1', 'contract-add-2', 'contract-add-3']);
      const results = await Promise.all(tasks.map(({ taskId }) => plugin.getResult(taskId, { timeout: 15_000 })));
      assert.deepEqual(results, [11, 12, 13]);
      assert.deepEqual(await plugin.submitTasks([]), []);
    });

    it('submitTasks submits nothing when one of the tasks is wrong', async () => {
      const { plugin } = subject;
      const tasks = [
        { name: 'contract.nothing', taskId: 'contract-fine' },
        { name: 'contract.nothing', taskId: '7' },
      ];
      await rejectsWith(() => plugin.submitTasks(tasks), 'INVALID_ARGUMENT');
      assert.equal((await plugin.getStatus('contract-fine')).state, 'PENDING');
      await rejectsWith(() => plugin.getResult('contract-fine', { timeout: 300 }), 'TIMEOUT');
    });

    it('runs tasks of another queue', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.add', { args: [1, 1], queue: CONTRACT_QUEUE });
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 2);
    });

    it('an id that exists submits nothing with supports.dedup, and runs again without', async () => {
      const { plugin } = subject;
      const first = await plugin.submitTask('contract.add', { args: [1, 2], taskId: 'contract-same' });
      assert.equal(await plugin.getResult(first, { timeout: 15_000 }), 3);
      const again = await plugin.submitTask('contract.add', { args: [3, 4], taskId: 'contract-same' });
      assert.equal(again, first);
      const batch = await plugin.submitTasks([{ name: 'contract.add', args: [3, 4], taskId: 'contract-same' }]);
      assert.deepEqual(batch, [first]);
      const later = await plugin.submitTask('contract.nothing', { countdown: 300 });
      await plugin.getResult(later, { timeout: 15_000 });
      assert.equal(await plugin.getResult(first, { timeout: 15_000 }), plugin.supports.dedup ? 3 : 7);
    });

    it('an aborted signal submits nothing', async () => {
      const { plugin } = subject;
      const signal = AbortSignal.abort();
      await rejectsWith(() => plugin.submitTask('contract.nothing', { taskId: 'contract-no', signal }), 'ABORTED');
      await rejectsWith(
        () => plugin.submitTasks([{ name: 'contract.nothing', taskId: 'contract-no' }], { signal }),
        'ABORTED',
      );
      assert.equal((await plugin.getStatus('contract-no')).state, 'PENDING');
      await rejectsWith(() => plugin.getResult('contract-no', { timeout: 300 }), 'TIMEOUT');
    });

    it('refuses a retry policy without supports.submitRetry, and a wrong one with it', async () => {
      const { plugin } = subject;
      const code = plugin.supports.submitRetry ? 'INVALID_ARGUMENT' : 'UNSUPPORTED';
      await rejectsWith(() => plugin.submitTask('contract.nothing', { retry: { attempts: 0 } }), code);
    });

    it('workers names what can run the tasks, and ping counts those that answer', async () => {
      const { plugin } = subject;
      const workers = await plugin.workers();
      assert.ok(workers.some(({ tasks }) => tasks.includes('contract.echo')));
      for (const { name, active, concurrency } of workers) {
        assert.ok(name.length > 0 && active >= 0 && concurrency >= 1);
      }
      assert.equal(await plugin.ping({ timeout: 5_000 }), workers.length);
    });
  });

  describe('submit refuses', () => {
    const subject = contractSubject(runner, harness);

    for (const [what, task] of Object.entries(WRONG)) {
      it(what, async () => {
        const { name = 'contract.nothing', ...options } = task;
        await rejectsWith(() => subject.plugin.submitTask(name, options), 'INVALID_ARGUMENT');
        await rejectsWith(() => subject.plugin.submitTasks([{ ...options, name }]), 'INVALID_ARGUMENT');
      });
    }

    it('arguments that JSON cannot carry', async () => {
      const { plugin } = subject;
      const notJson = { big: 1n } as unknown as JsonValue;
      await rejectsWith(() => plugin.submitTask('contract.echo', { args: [notJson] }), 'PAYLOAD_INVALID');
      await rejectsWith(() => plugin.submitTask('contract.echo', { kwargs: { x: Number.NaN } }), 'PAYLOAD_INVALID');
      await rejectsWith(() => plugin.submitTask('contract.echo', { headers: { x: Infinity } }), 'PAYLOAD_INVALID');
    });
  });
}
