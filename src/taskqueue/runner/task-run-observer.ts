import type { JsonObject } from '../../core/json.js';
import type { RunHandle, RunnableTask } from './run-outcome.js';

/** What a module of that kind exports. */
export interface ThreadContext {
  /** Calls `work` with the context that the headers of a task carry. */
  within<T>(headers: JsonObject, work: () => T): T;
}

/** Is told of the attempts of tasks that run in this process or its threads. */
export interface TaskRunObserver {
  /** URL of the module that brings the context of an attempt into a thread: `ThreadContext`. */
  readonly threadContext: string | undefined;
  /**
   * Runs an attempt.
   * @param start starts it, with the headers that its handler is to see
   */
  run(task: RunnableTask, start: (headers: JsonObject) => RunHandle): RunHandle;
}
