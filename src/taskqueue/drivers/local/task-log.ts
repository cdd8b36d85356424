import type { StoreLogger } from '../../../embedded/store-logger.js';
import type { RunnerSlots } from '../../runner/run-outcome.js';
import type { TaskError } from '../../taskqueue.types.js';
import type { ClaimedTask } from './task-records.js';

/** What a line says of a task. */
export type LoggedTask = Pick<ClaimedTask, 'name' | 'taskId' | 'attempt'>;

/** The lines about tasks that went wrong; without their stacks, which are in `getStatus`. */
export class TaskLog {
  constructor(private readonly logger: StoreLogger) {}

  /** The task is FAILURE. */
  failed(task: LoggedTask, error: TaskError): void {
    this.logger.warn(`${subject(task)} failed: ${reason(error)}`);
  }

  /** The task runs again by its retry policy, in `delay` ms. */
  retried(task: LoggedTask, error: TaskError, delay: number): void {
    this.logger.debug(`${subject(task)} failed and runs again in ${delay} ms: ${reason(error)}`);
  }

  /** The task has lost its process or thread and runs again in `delay` ms. */
  lost(task: LoggedTask, error: TaskError, delay: number): void {
    this.logger.warn(`${subject(task)} was lost and runs again in ${delay} ms: ${reason(error)}`);
  }

  /** The handler ignores its time limit on the event loop, where nobody can end it. */
  stillRuns(task: LoggedTask, { active, concurrency }: RunnerSlots): void {
    this.logger.warn(
      `${subject(task)} ignores its time limit and still holds a slot (${active} of ${concurrency} in use).`,
    );
  }
}

function subject({ name, taskId, attempt }: LoggedTask): string {
  return `task "${name}" (${taskId}), attempt ${attempt},`;
}

function reason({ type, message }: TaskError): string {
  return `${type}: ${message}`;
}
