import assert from 'node:assert/strict';
import {
  contractSubject,
  type ContractHarness,
  type ContractRunner,
  type ContractSubject,
} from '../../core/contract.js';
import type { TaskQueuePlugin } from '../taskqueue.plugin.js';

/** Queue beside the default one on which the workers of the suite have to listen. */
export const CONTRACT_QUEUE = 'contract.other';

/** The contract's task module; see contract-tasks.ts for what each task does. */
export const CONTRACT_TASKS = new URL(
  `./contract-tasks${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`,
  import.meta.url,
);

/** How the task queue suite gets plugins, and workers for the tasks of contract-tasks.ts. */
export interface TaskQueueHarness extends ContractHarness<TaskQueuePlugin> {
  /**
   * Makes the tasks of contract-tasks.ts (or twins of them in another language) run for `plugin`, from its default queue
   * and from {@link CONTRACT_QUEUE}; resolves when they can be submitted. Default: `plugin.registerTasks(CONTRACT_TASKS)`.
   */
  tasks?(plugin: TaskQueuePlugin): Promise<void>;
  /**
   * Like `create`, but its tasks run one at a time in one worker that keeps its state, and none before `tasks` is called.
   * Needed by drivers that declare `supports.priority`.
   */
  serial?(): Promise<TaskQueuePlugin>;
}

/** Makes the contract's tasks run for `plugin`. */
export async function startTasks(harness: TaskQueueHarness, plugin: TaskQueuePlugin): Promise<void> {
  if (harness.tasks !== undefined) await harness.tasks(plugin);
  else await plugin.registerTasks(CONTRACT_TASKS);
}

/** A {@link contractSubject} for which the contract's tasks run. */
export function workingSubject(runner: ContractRunner, harness: TaskQueueHarness): ContractSubject<TaskQueuePlugin> {
  const subject = contractSubject(runner, harness);
  runner.beforeEach(() => startTasks(harness, subject.plugin));
  return subject;
}

/** What a promise rejects with; fails when it resolves. */
export async function rejection(work: Promise<unknown>): Promise<unknown> {
  let result: unknown;
  try {
    result = await work;
  } catch (error) {
    return error;
  }
  return assert.fail(`expected a rejection, got ${JSON.stringify(result)}`);
}
