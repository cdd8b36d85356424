import type { HubErrorCode } from '../core/errors.js';
import type { TaskState, TaskStatus } from './taskqueue.types.js';

/** How long `getResult` waits when nobody says, in ms. */
export const DEFAULT_RESULT_TIMEOUT = 60_000;

/** What `getResult` rejects with, for the `error()` of a plugin. */
export interface TaskFault {
  code: HubErrorCode;
  message: string;
  details: Record<string, unknown>;
}

/**
 * `TASK_REVOKED` or `TASK_FAILED` of a task that has ended so.
 * @param reason why it is REVOKED
 */
export function endFault(
  { taskId, name, state, error }: Pick<TaskStatus, 'taskId' | 'name' | 'state' | 'error'>,
  reason: string | null,
): TaskFault {
  // A backend may know a task without its name.
  const task = name === null || name === '' ? `task ${taskId}` : `task ${taskId} ("${name}")`;
  if (state === 'REVOKED') {
    const message = `${task} was revoked: ${reason ?? 'no reason is known'}.`;
    return { code: 'TASK_REVOKED', message, details: { taskId } };
  }
  const message = `${task} failed: ${error?.type ?? 'Error'}: ${error?.message ?? 'no reason is known'}`;
  return { code: 'TASK_FAILED', message, details: { taskId, name, ...error } };
}

/**
 * `RESULT_EXPIRED` of a task that was here.
 * @param kept how long results are kept, in ms
 * @param option of the driver that says so
 */
export function expiredFault(taskId: string, kept: number, option: string): TaskFault {
  const message =
    `nothing is stored of task ${taskId} any more: its result was kept for ${kept} ms (${option}), or somebody ` +
    'removed it.';
  return { code: 'RESULT_EXPIRED', message, details: { taskId } };
}

/**
 * `TIMEOUT` of a wait.
 * @param timeout ms
 * @param reason a sentence on why it may not have ended
 */
export function timeoutFault(taskId: string, timeout: number, state: TaskState, reason: string): TaskFault {
  const message = `task ${taskId} did not end within ${timeout} ms. ${reason}`;
  return { code: 'TIMEOUT', message, details: { taskId, state } };
}

/** The status of an id that the backend does not know. */
export function unknownTask(taskId: string): TaskStatus {
  const nothing = { progress: null, error: null, submittedAt: null, startedAt: null, finishedAt: null };
  return { taskId, name: null, state: 'PENDING', attempt: 0, ...nothing };
}

/** The status in a driver's own record of a task. */
export function statusOf(task: TaskStatus): TaskStatus {
  const { taskId, name, state, attempt, progress, error, submittedAt, startedAt, finishedAt } = task;
  return { taskId, name, state, attempt, progress, error, submittedAt, startedAt, finishedAt };
}
