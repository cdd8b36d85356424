import type { JsonValue } from '../core/json.js';
import type { TaskQueuePlugin } from './taskqueue.plugin.js';
import type { CancelOutcome, TaskProgress, TaskStatus } from './taskqueue.types.js';

/** One task: the calls of {@link TaskQueuePlugin} bound to its id. */
export class TaskHandle {
  constructor(
    private readonly queue: TaskQueuePlugin,
    readonly taskId: string,
  ) {}

  /** See `TaskQueuePlugin.getStatus`. */
  status(): Promise<TaskStatus> {
    return this.queue.getStatus(this.taskId);
  }

  /** See `TaskQueuePlugin.getResult`. */
  result<T = JsonValue>(options?: { timeout?: number; signal?: AbortSignal }): Promise<T> {
    return this.queue.getResult<T>(this.taskId, options);
  }

  /** See `TaskQueuePlugin.progress`. */
  progress(options?: { signal?: AbortSignal }): AsyncIterable<TaskProgress> {
    return this.queue.progress(this.taskId, options);
  }

  /** See `TaskQueuePlugin.cancel`. */
  cancel(): Promise<CancelOutcome> {
    return this.queue.cancel(this.taskId);
  }
}
