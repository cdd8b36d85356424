import type { RetryPolicy } from '../../../core/retry.js';
import type { RunnableTask } from '../../runner/run-outcome.js';
import type { TaskError, TaskProgress, TaskState } from '../../taskqueue.types.js';

/** A waiting task that could start now. */
export interface Candidate {
  seq: number;
  name: string;
  queue: string;
  priority: number;
}

/** A task whose attempt is counted and committed, ready to run. */
export interface ClaimedTask extends RunnableTask {
  seq: number;
  queue: string;
  /** Attempts before this one whose process or thread died. */
  lost: number;
  /** As submitted, or `null`: what the registration says. */
  retry: RetryPolicy | null;
}

/** A stored task as callers see it. */
export interface TaskRecord {
  taskId: string;
  name: string;
  state: TaskState;
  attempt: number;
  progress: TaskProgress | null;
  /** The failure; of a REVOKED task the reason. */
  error: TaskError | null;
  /** JSON text of the result, or `null`. */
  result: string | null;
  /** Whether the result was kept for its time and is gone. */
  expired: boolean;
  submittedAt: number;
  startedAt: number | null;
  finishedAt: number | null;
}

/** How many tasks are where. */
export interface TaskCounts {
  /** Could start as soon as somebody is free. */
  waiting: number;
  /** Wait for their countdown, eta or retry. */
  delayed: number;
  /** Ended as FAILURE and not yet expired from the store. */
  failed: number;
}
