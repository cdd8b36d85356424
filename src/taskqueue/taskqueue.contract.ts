import { lifeContract, type ContractRunner } from '../core/contract.js';
import { durableContract } from './contract/durable.contract.js';
import { endContract } from './contract/end.contract.js';
import { inProcessContract } from './contract/in-process.contract.js';
import { progressContract } from './contract/progress.contract.js';
import { resultContract } from './contract/result.contract.js';
import { retryContract } from './contract/retry.contract.js';
import { scheduleContract } from './contract/schedule.contract.js';
import { submitContract } from './contract/submit.contract.js';
import { CONTRACT_QUEUE, CONTRACT_TASKS, type TaskQueueHarness } from './contract/task-harness.js';
import type { TaskQueuePlugin } from './taskqueue.plugin.js';

export type { ContractHarness, ContractRunner } from '../core/contract.js';
export { CONTRACT_QUEUE, CONTRACT_TASKS, type TaskQueueHarness };

/** One call of every method, for the life contract. */
const CALLS: Record<string, (plugin: TaskQueuePlugin) => unknown> = {
  registerTasks: (plugin) => plugin.registerTasks(CONTRACT_TASKS),
  registerTask: (plugin) => plugin.registerTask('contract.closed', () => null),
  submitTask: (plugin) => plugin.submitTask('contract.closed'),
  submitTasks: (plugin) => plugin.submitTasks([{ name: 'contract.closed' }]),
  getStatus: (plugin) => plugin.getStatus('closed'),
  getResult: (plugin) => plugin.getResult('closed'),
  progress: (plugin) => plugin.progress('closed'),
  cancel: (plugin) => plugin.cancel('closed'),
  workers: (plugin) => plugin.workers(),
  ping: (plugin) => plugin.ping(),
};

/**
 * The contract of every TaskQueue driver. Uses the tasks of contract-tasks.ts; a driver whose workers are not JavaScript
 * serves twins of them and says so in `harness.tasks`.
 */
export function taskqueueContract(runner: ContractRunner, name: string, harness: TaskQueueHarness): void {
  runner.describe(`taskqueue contract: ${name}`, () => {
    lifeContract(runner, harness, CALLS);
    submitContract(runner, harness);
    scheduleContract(runner, harness);
    resultContract(runner, harness);
    retryContract(runner, harness);
    endContract(runner, harness);
    progressContract(runner, harness);
    inProcessContract(runner, harness);
    durableContract(runner, harness);
  });
}
