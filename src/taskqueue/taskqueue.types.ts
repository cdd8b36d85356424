import type { JsonObject, JsonValue } from '../core/json.js';
import type { RetryPolicy } from '../core/retry.js';

/** States of a task, as Celery names them. PENDING means waiting, or unknown to the backend. */
export const TASK_STATES = ['PENDING', 'STARTED', 'PROGRESS', 'RETRY', 'SUCCESS', 'FAILURE', 'REVOKED'] as const;
/** One of {@link TASK_STATES}. */
export type TaskState = (typeof TASK_STATES)[number];
/** States after which nothing changes any more. */
export const FINAL_TASK_STATES: readonly TaskState[] = ['SUCCESS', 'FAILURE', 'REVOKED'];

/** Options of `submitTask`. */
export interface SubmitOptions {
  /** Positional arguments. Default none. */
  args?: readonly JsonValue[];
  /** Named arguments. Default none. */
  kwargs?: JsonObject;
  /** Queue to run from. Default: the driver's default queue. */
  queue?: string;
  /** 0 to 9, higher first. With `supports.priority` false anything but 0 is `UNSUPPORTED`. Default 0. */
  priority?: number;
  /** Not before this many ms from now. Not together with `eta`. */
  countdown?: number;
  /** Not before this time. Not together with `countdown`. */
  eta?: Date;
  /** Not after this time, or this many ms from now: a task that has not started by then is REVOKED. */
  expires?: Date | number;
  /** What happens when the task fails. Only with `supports.submitRetry`. Default: what its registration says. */
  retry?: RetryPolicy;
  /** Longest run of one attempt, in ms. Enforced with `supports.hardTimeLimit` or, in process, by the abort signal. */
  timeLimit?: number;
  /**
   * Identity of the task: 1 to 128 letters, digits, `_`, `-`, `.`; not a whole number. Default: a random UUID. With
   * `supports.dedup`, an id that exists already submits nothing and resolves to that id; without, it runs again.
   */
  taskId?: string;
  /** Free JSON headers that the task can read. */
  headers?: JsonObject;
  signal?: AbortSignal;
}

/** One task of `submitTasks`. */
export interface TaskSubmission extends Omit<SubmitOptions, 'signal'> {
  name: string;
}

/** An error that a task ended with. */
export interface TaskError {
  /** Class name, e.g. `TypeError` or Python's `ValueError`. */
  type: string;
  message: string;
  /** Stack or Python traceback, when there is one. */
  stack?: string;
}

/** What a task reports while it runs. */
export interface TaskProgress {
  /** Number of the report within the attempt, from 1. */
  sequence: number;
  /** The attempt that reports, from 1. */
  attempt: number;
  /** What the task gave to `progress()`. */
  data: JsonValue;
  /** ms since 1970. */
  timestamp: number;
}

/** Everything known of a task. */
export interface TaskStatus {
  taskId: string;
  /** `null` when the backend does not know the id. */
  name: string | null;
  state: TaskState;
  /** Attempts started so far. */
  attempt: number;
  /** Latest progress report, or `null`. */
  progress: TaskProgress | null;
  /** With FAILURE, and with RETRY the error of the last attempt; otherwise `null`. */
  error: TaskError | null;
  /** ms since 1970, or `null` when unknown. */
  submittedAt: number | null;
  startedAt: number | null;
  finishedAt: number | null;
}

/** Outcome of `cancel`. A running task is only *asked* to stop; whether it does, `getStatus` tells. */
export type CancelOutcome = 'cancelled' | 'requested' | 'finished';

/** A worker that answered. */
export interface WorkerInfo {
  name: string;
  /** Task names that it can run. */
  tasks: string[];
  /** Tasks that it runs now. */
  active: number;
  /** Most tasks that it runs at once. */
  concurrency: number;
}

/** What a task handler gets. In a worker thread it is a copy: `progress` and `signal` reach across. */
export interface TaskContext {
  readonly taskId: string;
  readonly name: string;
  readonly args: readonly JsonValue[];
  readonly kwargs: JsonObject;
  readonly headers: JsonObject;
  /** This attempt, from 1. */
  readonly attempt: number;
  /** Fires on cancel, on the time limit, and when the shutdown deadline has passed. */
  readonly signal: AbortSignal;
  /** Reports progress; resolves when it is stored. `PAYLOAD_INVALID` for what JSON cannot carry. */
  progress(data: JsonValue): Promise<void>;
}

/** Runs a task. Its result has to be JSON (`undefined` counts as `null`); otherwise the task fails. */
export type TaskHandler = (task: TaskContext) => unknown;

/** How a task is registered. */
export interface TaskOptions {
  /** Default for `SubmitOptions.retry`. */
  retry?: RetryPolicy;
  /** Default for `SubmitOptions.timeLimit`, in ms. */
  timeLimit?: number;
}

/** A task of a module: the handler alone, or with options. */
export type TaskDefinition = TaskHandler | ({ handler: TaskHandler } & TaskOptions);

/** What a task module exports as `default`: task name → definition. See {@link defineTasks}. */
export type TaskDefinitions = Record<string, TaskDefinition>;

/** Types the default export of a task module. */
export function defineTasks<T extends TaskDefinitions>(tasks: T): T {
  return tasks;
}

/** What a TaskQueue driver can do. */
export interface TaskQueueSupports {
  /** Runs tasks that are registered in this process (`registerTasks`, `registerTask`, `@Task`). */
  readonly inProcess: boolean;
  /** A task id that exists is not submitted again. */
  readonly dedup: boolean;
  /** Priorities order the waiting tasks. */
  readonly priority: boolean;
  /** `retry` can be given with a submit. */
  readonly submitRetry: boolean;
  /** Results can be read by any process, also after a restart. */
  readonly durableResults: boolean;
  /** A time limit ends a task of a registered module even when it ignores its signal. */
  readonly hardTimeLimit: boolean;
}
