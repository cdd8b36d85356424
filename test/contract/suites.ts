import type { ContractHarness, ContractRunner } from '../../src/core/contract.js';
import type { HubPlugin } from '../../src/core/plugin.js';
import { datastreamContract } from '../../src/datastream/datastream.contract.js';
import type { DataStreamPlugin } from '../../src/datastream/datastream.plugin.js';
import { mlopsContract } from '../../src/mlops/mlops.contract.js';
import type { MLOpsPlugin } from '../../src/mlops/mlops.plugin.js';
import { taskqueueContract } from '../../src/taskqueue/taskqueue.contract.js';
import type { TaskQueuePlugin } from '../../src/taskqueue/taskqueue.plugin.js';
import { consumingMutants } from './datastream-consuming.mutants.js';
import { handlingMutants } from './datastream-handling.mutants.js';
import { queueMutants } from './datastream-queue.mutants.js';
import { datastreamSubject, mlopsSubject, taskqueueSubject } from './local-subjects.js';
import { loggingMutants } from './mlops-logging.mutants.js';
import { storeMutants } from './mlops-store.mutants.js';
import type { Mutant } from './mutant.js';
import { runningMutants } from './taskqueue-running.mutants.js';
import { submitMutants } from './taskqueue-submit.mutants.js';

/** A published suite and the mutants that prove it. */
export interface ProvedSuite<Plugin extends HubPlugin> {
  /** The plugin type. */
  name: string;
  mutants: readonly Mutant<Plugin>[];
  /** Declares the suite's tests on a runner. */
  register(runner: ContractRunner, harness: ContractHarness<Plugin>): void;
  /** The sound local driver, or a mutant of it. */
  subject(mutant?: Mutant<Plugin>, onDisk?: boolean): ContractHarness<Plugin>;
}

export const mlopsSuite: ProvedSuite<MLOpsPlugin> = {
  name: 'mlops',
  mutants: [...loggingMutants, ...storeMutants],
  register: (runner, harness) => mlopsContract(runner, 'local', harness),
  subject: mlopsSubject,
};

export const datastreamSuite: ProvedSuite<DataStreamPlugin> = {
  name: 'datastream',
  mutants: [...queueMutants, ...consumingMutants, ...handlingMutants],
  register: (runner, harness) => datastreamContract(runner, 'local', harness),
  subject: datastreamSubject,
};

export const taskqueueSuite: ProvedSuite<TaskQueuePlugin> = {
  name: 'taskqueue',
  mutants: [...submitMutants, ...runningMutants],
  register: (runner, harness) => taskqueueContract(runner, 'local', harness),
  subject: taskqueueSubject,
};
