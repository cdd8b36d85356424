import assert from 'node:assert/strict';
import { collect, contractSubject, eventually, rejectsWith, type ContractRunner } from '../../core/contract.js';
import type { JsonValue } from '../../core/json.js';
import { CONTRACT_TASKS, rejection, type TaskQueueHarness } from './task-harness.js';

/** @internal Tasks that are registered in this process, and what a driver without them says. */
export function inProcessContract(runner: ContractRunner, harness: TaskQueueHarness): void {
  const { describe } = runner;
  describe('in process', () => {
    const subject = contractSubject(runner, harness);
    /** A test that only a driver with `supports.inProcess` can pass; the opposite has a test of its own. */
    const it = (name: string, body: () => Promise<void>): unknown =>
      runner.it(name, async () => {
        if (subject.plugin.supports.inProcess) await body();
      });

    runner.it('registerTask and registerTasks are UNSUPPORTED without supports.inProcess', async () => {
      const { plugin } = subject;
      if (plugin.supports.inProcess) {
        await plugin.registerTask('contract.here', () => null);
        return;
      }
      await rejectsWith(() => plugin.registerTask('contract.here', () => null), 'UNSUPPORTED');
      await rejectsWith(() => plugin.registerTasks(CONTRACT_TASKS), 'UNSUPPORTED');
    });

    it('runs a registered handler with everything it needs', async () => {
      const { plugin } = subject;
      await plugin.registerTask('contract.here', ({ args, kwargs, headers, taskId, name, attempt, signal }) => {
        return { args: [...args], kwargs, headers, taskId, name, attempt, aborted: signal.aborted };
      });
      const task = { args: [1], kwargs: { a: 'b' }, headers: { h: 1 } };
      const taskId = await plugin.submitTask('contract.here', task);
      const expected = { ...task, taskId, name: 'contract.here', attempt: 1, aborted: false };
      assert.deepEqual(await plugin.getResult(taskId, { timeout: 15_000 }), expected);
    });

    it('a task that succeeds runs once', async () => {
      const { plugin } = subject;
      const runs: string[] = [];
      await plugin.registerTask('contract.here', ({ args }) => void runs.push(String(args[0])));
      const ids: string[] = [];
      for (const name of ['a', 'b', 'c']) ids.push(await plugin.submitTask('contract.here', { args: [name] }));
      for (const id of ids) await plugin.getResult(id, { timeout: 15_000 });
      // Whatever would run them again gets the time to do so.
      await plugin.getResult(await plugin.submitTask('contract.here', { args: ['d'], countdown: 300 }));
      assert.deepEqual(runs.sort(), ['a', 'b', 'c', 'd']);
    });

    it('a task whose name nobody has registered waits until somebody does', async () => {
      const { plugin } = subject;
      const taskId = await plugin.submitTask('contract.later');
      const { message } = await rejectsWith(() => plugin.getResult(taskId, { timeout: 200 }), 'TIMEOUT');
      assert.match(message, /contract\.later/);
      assert.equal((await plugin.getStatus(taskId)).state, 'PENDING');
      await plugin.registerTask('contract.later', () => 'at last');
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 'at last');
    });

    it('a name can be registered once', async () => {
      const { plugin } = subject;
      await plugin.registerTask('contract.here', () => null);
      await rejectsWith(() => plugin.registerTask('contract.here', () => null), 'ALREADY_EXISTS');
      await rejectsWith(() => plugin.registerTask('', () => null), 'INVALID_ARGUMENT');
      assert.ok((await plugin.registerTasks(CONTRACT_TASKS)).includes('contract.echo'));
      await rejectsWith(() => plugin.registerTasks(CONTRACT_TASKS), 'ALREADY_EXISTS');
    });

    it('registerTasks refuses what is no task module', async () => {
      const { plugin } = subject;
      await rejectsWith(() => plugin.registerTasks(new URL('./no-such-module.js', import.meta.url)), 'NOT_FOUND');
      await rejectsWith(() => plugin.registerTasks('./relative.js'), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.registerTasks(new URL(import.meta.url)), 'INVALID_ARGUMENT');
    });

    it('a handler that throws something that is no Error fails like any other', async () => {
      const { plugin } = subject;
      await plugin.registerTask('contract.throws', () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw 'just text';
      });
      const taskId = await plugin.submitTask('contract.throws');
      const { details } = await rejectsWith(() => plugin.getResult(taskId, { timeout: 15_000 }), 'TASK_FAILED');
      assert.deepEqual([details['type'], details['message']], ['string', 'just text']);
    });

    it('progress reaches the outside, and what JSON cannot carry is refused', async () => {
      const { plugin } = subject;
      let refused: unknown;
      await plugin.registerTask('contract.reports', async (task) => {
        refused = await rejection(task.progress(1n as unknown as JsonValue));
        await task.progress({ half: 0.5 });
        return 'done';
      });
      const taskId = await plugin.submitTask('contract.reports', { countdown: 200 });
      const reports = await collect(plugin.progress(taskId));
      assert.deepEqual(
        reports.map(({ sequence, data }) => [sequence, data]),
        [[1, { half: 0.5 }]],
      );
      await rejectsWith(() => Promise.reject(refused as Error), 'PAYLOAD_INVALID');
    });

    it('retry and time limit of the registration hold when the submit gives none', async () => {
      const { plugin } = subject;
      const options = { retry: { attempts: 2, delay: 20 }, timeLimit: 500 };
      await plugin.registerTask('contract.here', ({ attempt, signal }) => waitForAbort(signal, attempt), options);
      const taskId = await plugin.submitTask('contract.here');
      const { details } = await rejectsWith(() => plugin.getResult(taskId, { timeout: 15_000 }), 'TASK_FAILED');
      assert.match(String(details['type']), /TimeLimitExceeded/);
      assert.equal((await plugin.getStatus(taskId)).attempt, 2);
    });

    it('cancel fires the signal of a running handler; one that throws for it is REVOKED', async () => {
      const { plugin } = subject;
      await plugin.registerTask('contract.here', ({ attempt, signal }) => waitForAbort(signal, attempt));
      const taskId = await plugin.submitTask('contract.here');
      await eventually(async () => (await plugin.getStatus(taskId)).state === 'STARTED', 'it starts');
      assert.equal(await plugin.cancel(taskId), 'requested');
      await rejectsWith(() => plugin.getResult(taskId, { timeout: 15_000 }), 'TASK_REVOKED');
    });

    it('a handler that ignores a cancel goes on, and its result counts', async () => {
      const { plugin } = subject;
      let finish = (): void => undefined;
      const gate = new Promise<void>((resolve) => (finish = resolve));
      await plugin.registerTask('contract.here', () => gate.then(() => 'stubborn'));
      const taskId = await plugin.submitTask('contract.here');
      await eventually(async () => (await plugin.getStatus(taskId)).state === 'STARTED', 'it starts');
      assert.equal(await plugin.cancel(taskId), 'requested');
      finish();
      assert.equal(await plugin.getResult(taskId, { timeout: 15_000 }), 'stubborn');
    });

    it('drain waits for what runs and starts nothing new', async () => {
      const { plugin } = subject;
      let finish = (): void => undefined;
      const gate = new Promise<void>((resolve) => (finish = resolve));
      let begun = false;
      await plugin.registerTask('contract.here', () => {
        begun = true;
        return gate.then(() => 'done');
      });
      const running = await plugin.submitTask('contract.here');
      // A backend may say STARTED before the handler is called; then a drain would still give the task back.
      await eventually(() => begun, 'it starts');
      let drained = false;
      const draining = plugin.drain().then(() => (drained = true));
      const late = await plugin.submitTask('contract.here');
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(drained, false);
      finish();
      await draining;
      assert.equal(await plugin.getResult(running, { timeout: 1_000 }), 'done');
      assert.equal((await plugin.getStatus(late)).state, 'PENDING');
    });
  });
}

function waitForAbort(signal: AbortSignal, attempt: number): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = (): void => reject(new Error(`attempt ${attempt} was asked to stop`));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
