import type { HubErrorCode } from '../../core/errors.js';
import type { TaskOptions } from '../taskqueue.types.js';
import type { RunnableTask, RunOutcome } from './run-outcome.js';

/** A task module as a thread imports it. */
export interface TaskModule {
  /** `file:` URL. */
  url: string;
  /** `file:` URL of `tsx/esm/api`, when the module is TypeScript. */
  tsx?: string;
}

/** The part of a task that goes into a thread. */
export interface ThreadTask extends Omit<RunnableTask, 'timeLimit'> {
  /** See `TaskRunObserver.threadContext`. */
  context?: string | undefined;
}

/** What a task module offers. */
export interface ListedTask {
  name: string;
  options: TaskOptions;
}

/** An error that can cross a thread boundary; code and message survive. */
export interface ThreadError {
  code: HubErrorCode;
  message: string;
}

/** To a thread. `job` numbers its jobs, so that a late message of one does not reach the next. */
export type ToThread =
  | { type: 'run'; job: number; module: TaskModule; task: ThreadTask }
  | { type: 'list'; job: number; module: TaskModule }
  | { type: 'abort'; job: number; error: ThreadError }
  | { type: 'stored'; job: number; report: number; error?: ThreadError };

/** From a thread. */
export type FromThread =
  | { type: 'progress'; job: number; report: number; json: string }
  | { type: 'done'; job: number; outcome: RunOutcome }
  | { type: 'listed'; job: number; tasks: ListedTask[] }
  | { type: 'unlisted'; job: number; error: ThreadError };
