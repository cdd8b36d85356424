import type { JsonValue } from '../core/json.js';
import type { ObservedCalls } from '../core/observed-calls.js';
import { HubPlugin } from '../core/plugin.js';
import type { TaskRunObserver } from './runner/task-run-observer.js';
import { TaskHandle } from './task-handle.js';
import { observeTasks } from './taskqueue.telemetry.js';
import type {
  CancelOutcome,
  SubmitOptions,
  TaskHandler,
  TaskOptions,
  TaskProgress,
  TaskQueueSupports,
  TaskStatus,
  TaskSubmission,
  WorkerInfo,
} from './taskqueue.types.js';

declare module '../core/plugin-types.js' {
  interface PluginTypes {
    taskqueue: TaskQueuePlugin;
  }
}

/**
 * Submits named tasks, follows them, and (with `supports.inProcess`) runs those registered in this process. The class is
 * the injection token; states and options are Celery's (https://docs.celeryq.dev/en/stable/userguide/calling.html).
 *
 * Contract, beyond each method's own words:
 * - A submit that resolved is stored: the task runs at least once, also when the process dies in between; a task whose
 *   worker died runs again with the same id and `attempt` + 1, up to the driver's limit, then it is FAILURE.
 * - Tasks whose name nobody has registered wait (PENDING) until somebody does.
 * - Arguments and results are JSON; anything else is `PAYLOAD_INVALID`, for a result as the task's own failure.
 * - Every wait has a deadline.
 * - Before `initialize()` and after `shutdown()` every call is `CLOSED`.
 */
export abstract class TaskQueuePlugin extends HubPlugin<TaskQueueSupports> {
  override readonly pluginType = 'taskqueue';
  #runObserver: TaskRunObserver | undefined;

  protected override onObserve(calls: ObservedCalls): void {
    this.#runObserver = observeTasks(this, calls);
  }

  /**
   * Is to be told of the attempts that run in this process; a driver hands it on with what it registers.
   * @internal
   */
  protected get runObserver(): TaskRunObserver | undefined {
    return this.#runObserver;
  }

  /**
   * Registers the tasks of a module and resolves to their names. The module's default export is an object made with
   * `defineTasks`; it is imported in worker threads, so that CPU-bound tasks do not block the event loop. Called from
   * code only: never with a path from configuration or a request.
   * `NOT_FOUND` for a missing module, `INVALID_ARGUMENT` for one without tasks, `ALREADY_EXISTS` for a taken name.
   * @param module absolute path or `file:` URL, e.g. `new URL('./tasks.js', import.meta.url)`
   */
  abstract registerTasks(module: string | URL): Promise<string[]>;
  /** Registers one task that runs in this process, on the event loop. `ALREADY_EXISTS` for a taken name. */
  abstract registerTask(name: string, handler: TaskHandler, options?: TaskOptions): Promise<void>;

  /** Submits a task and resolves to its id when the backend has it. */
  abstract submitTask(name: string, options?: SubmitOptions): Promise<string>;
  /** Submits tasks and resolves to their ids, in order, when the backend has them all. */
  abstract submitTasks(tasks: readonly TaskSubmission[], options?: { signal?: AbortSignal }): Promise<string[]>;

  /** What is known of a task. An unknown id is PENDING with `name: null`. */
  abstract getStatus(taskId: string): Promise<TaskStatus>;
  /**
   * Waits for the end of a task and resolves to its result. Rejects with `TASK_FAILED` (type, message and stack in
   * `details`), `TASK_REVOKED`, `RESULT_EXPIRED`, or `TIMEOUT`; giving up does not touch the task.
   * @param options.timeout ms, default 60 000
   */
  abstract getResult<T = JsonValue>(taskId: string, options?: { timeout?: number; signal?: AbortSignal }): Promise<T>;
  /**
   * The progress reports from now on (and the latest one before), until the task ends; it then ends without error,
   * whatever the outcome. Reports can be skipped when they come faster than they are read; the last one is not.
   * `NOT_FOUND` where the backend can tell that it does not know the id; `CLOSED` when the plugin is shut down meanwhile.
   */
  abstract progress(taskId: string, options?: { signal?: AbortSignal }): AsyncIterable<TaskProgress>;
  /**
   * Cancels a task: `cancelled` when it had not started, `requested` when it runs and was asked to stop, `finished`
   * when it had ended. `NOT_FOUND` for an id that the backend does not know.
   */
  abstract cancel(taskId: string): Promise<CancelOutcome>;

  /** The workers that answer. */
  abstract workers(): Promise<WorkerInfo[]>;
  /** How many workers answer within `timeout` ms (default 1000). */
  abstract ping(options?: { timeout?: number }): Promise<number>;

  /** A handle on a task, for code that passes tasks around. Makes no call. */
  task(taskId: string): TaskHandle {
    return new TaskHandle(this, taskId);
  }
}
