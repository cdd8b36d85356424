import { HubError, type HubErrorOptions } from '../../core/errors.js';
import { toJson, type JsonValue } from '../../core/json.js';
import { taskErrorOf } from '../task-error.js';
import type { TaskContext, TaskHandler } from '../taskqueue.types.js';
import type { RunHandle, RunHooks, RunOutcome, RunnableTask, TaskRegistration, TaskRunner } from './run-outcome.js';

/** A task that runs on the event loop of this process. */
export interface HandlerRegistration extends TaskRegistration {
  handler: TaskHandler;
}

/** Runs the handlers of `registerTask` and `@Task`. */
export class InProcessRunner implements TaskRunner {
  constructor(private readonly source: HubErrorOptions) {}

  run(task: RunnableTask, registration: TaskRegistration, hooks: RunHooks): RunHandle {
    const { handler } = registration as HandlerRegistration;
    return { outcome: this.#run(task, handler, hooks), kill: () => false };
  }

  async #run(task: RunnableTask, handler: TaskHandler, hooks: RunHooks): Promise<RunOutcome> {
    let over = false;
    const context: TaskContext = {
      taskId: task.taskId,
      name: task.name,
      args: task.args,
      kwargs: task.kwargs,
      headers: task.headers,
      attempt: task.attempt,
      get signal() {
        return hooks.signal;
      },
      // Async, so that what is wrong with the data rejects as it does in a thread.
      progress: async (data: JsonValue) => {
        if (over)
          throw new HubError('CONFLICT', `task ${task.taskId} has ended; it cannot report progress.`, this.source);
        await hooks.onProgress(toJson(data, `progress of task "${task.name}"`, this.source));
      },
    };
    try {
      // A handler may block at its start; the pass that started it should not.
      await Promise.resolve();
      const result = await handler(context);
      return { kind: 'result', json: toJson(result ?? null, `the result of task "${task.name}"`, this.source) };
    } catch (error) {
      return { kind: 'error', error: taskErrorOf(error) };
    } finally {
      over = true;
    }
  }
}
