import { randomUUID } from 'node:crypto';
import { HubError } from '../core/errors.js';
import type { JsonObject, JsonValue } from '../core/json.js';
import type { TaskQueuePlugin } from '../taskqueue/taskqueue.plugin.js';
import type { ResolvedExperiment } from './experiment.types.js';

/** Calls a task and waits for its result; one that nobody waits for any more is cancelled. */
export class TaskCaller {
  constructor(private readonly tasks: TaskQueuePlugin) {}

  /**
   * The result of the task; rejects as `TaskQueuePlugin.getResult` does. A task that never got its turn is `TIMEOUT`
   * with `details.state` `PENDING`, whoever noticed first.
   * @param timeout ms, waiting in the queue included; then `TIMEOUT`
   */
  async call(
    { tasks: { queue } }: ResolvedExperiment,
    task: string,
    kwargs: JsonObject,
    options: { timeout: number; signal?: AbortSignal },
  ): Promise<JsonValue> {
    const { timeout, signal } = options;
    const expiresAt = Date.now() + timeout;
    const taskId = await this.tasks.submitTask(task, {
      taskId: randomUUID(),
      kwargs,
      expires: timeout,
      timeLimit: timeout,
      ...(queue === undefined ? {} : { queue }),
      ...(signal === undefined ? {} : { signal }),
    });
    try {
      return await this.tasks.getResult(taskId, { timeout, ...(signal === undefined ? {} : { signal }) });
    } catch (error) {
      if (HubError.is(error, 'TIMEOUT', 'ABORTED')) await this.tasks.cancel(taskId).catch(() => undefined);
      // The task expires at the moment at which the wait for it ends; what the caller sees must not depend on the race.
      if (HubError.is(error, 'TASK_REVOKED') && Date.now() >= expiresAt) {
        throw new HubError('TIMEOUT', `task ${taskId} ("${task}") did not start within ${timeout} ms.`, {
          cause: error,
          details: { taskId, state: 'PENDING' },
        });
      }
      throw error;
    }
  }
}
