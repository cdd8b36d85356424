import type { JsonValue } from '../../../core/json.js';
import type { SubmitOptions, TaskSubmission } from '../../taskqueue.types.js';

/** When a task is submitted again and again: by `every` or by `pattern`. */
export interface RepeatSchedule {
  /** ms between two submits. */
  every?: number;
  /** Cron pattern of five or six fields, e.g. `0 3 * * *`. */
  pattern?: string;
  /** Time zone of the pattern, e.g. `Europe/Berlin`. Default: that of the process. */
  tz?: string;
  /** Most submits. Default: no limit. */
  limit?: number;
}

/** A task that waits for others: it is ready when all of its children have succeeded. */
export interface TaskFlow extends Omit<TaskSubmission, 'countdown' | 'eta'> {
  children?: TaskFlow[];
}

/** What BullMQ can do beyond the port. Errors are those of the port's methods. */
export interface BullMQExtras {
  /**
   * Submits a task by a schedule, from now on and whichever processes live; the same `id` in the same queue replaces the
   * schedule. The ids of its tasks are BullMQ's (`repeat:…`), which no method of the port takes.
   */
  repeat(
    id: string,
    schedule: RepeatSchedule,
    name: string,
    task?: Omit<SubmitOptions, 'taskId' | 'countdown' | 'eta' | 'expires' | 'signal'>,
  ): Promise<void>;
  /**
   * Ends a schedule; what it has submitted stays, apart from the next one that waits. `false`: there is none.
   * @param queue default: the driver's default queue
   */
  stopRepeating(id: string, queue?: string): Promise<boolean>;
  /** Submits a tree of tasks, all or none, and resolves to the id of its root. */
  submitFlow(flow: TaskFlow): Promise<string>;
  /** Results of the children of a task that have succeeded, by their ids. */
  childResults(taskId: string): Promise<Record<string, JsonValue>>;
  /** Gives a task that is FAILURE or REVOKED one more attempt. `CONFLICT` for one that is not. */
  retry(taskId: string): Promise<void>;
  /** Adds a line to the log of a task, which goes with its job. */
  addLog(taskId: string, line: string): Promise<void>;
  /** The log of a task, from its first line. */
  logs(taskId: string): Promise<string[]>;
}
