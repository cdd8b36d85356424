import type { JsonObject } from '../../core/json.js';
import type { RunHandle, RunnableTask } from './run-outcome.js';

/** Is told of the attempts of tasks that run in this process or its threads. */
export interface TaskRunObserver {
  /**
   * Runs an attempt.
   * @param start starts it, with the headers that its handler is to see
   */
  run(task: RunnableTask, start: (headers: JsonObject) => RunHandle): RunHandle;
}
