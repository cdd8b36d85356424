import type { JsonValue } from '../../../core/json.js';
import { FINAL_TASK_STATES, type TaskProgress, type TaskStatus } from '../../taskqueue.types.js';
import type { KnownTask } from './known-tasks.js';
import type { StoredTask } from './results/result-backend.js';
import { errorOf, progressOf, revocationOf, type ResultMeta } from './results/result-meta.js';

/** A task as far as it is known. */
export interface CeleryRecord extends TaskStatus {
  /** Of SUCCESS. */
  result: JsonValue;
  /** Why it is REVOKED. */
  reason: string | null;
  /** Queue that it was submitted to from here, when that is known. */
  queue: string | undefined;
  /** Whether it has ended and nothing of that is kept any more. */
  expired: boolean;
}

/**
 * What is known of a task: from its result, from what the submitting hub has noted, and from this process.
 * @param resultExpires ms
 */
export function celeryRecord(
  taskId: string,
  stored: StoredTask,
  known: KnownTask | undefined,
  resultExpires: number,
): CeleryRecord {
  const { meta } = stored;
  const note = known?.note ?? stored.note;
  const base = { taskId, queue: note?.queue, submittedAt: note?.submittedAt ?? null, startedAt: null };
  if (meta === undefined || meta.state === 'PENDING') {
    const past = note !== undefined && Date.now() > note.due + resultExpires;
    return {
      ...base,
      name: note?.name ?? meta?.name ?? (meta === undefined && known === undefined ? null : ''),
      state: 'PENDING',
      attempt: 0,
      progress: null,
      error: null,
      finishedAt: null,
      result: null,
      reason: null,
      expired: meta === undefined && (known?.ended === true || past),
    };
  }
  const { state } = meta;
  const isFailed = state === 'FAILURE' || state === 'RETRY';
  const isFinal = FINAL_TASK_STATES.includes(state);
  return {
    ...base,
    // Celery keeps the names of tasks only with result_extended.
    name: note?.name ?? meta.name ?? '',
    state,
    attempt: stored.attempt ?? meta.attempt ?? (state === 'REVOKED' ? 0 : 1),
    progress: latest(progressOf(meta), stored.progress),
    error: isFailed ? errorOf(meta) : null,
    finishedAt: isFinal ? (meta.finishedAt ?? meta.seenAt) : null,
    result: state === 'SUCCESS' ? meta.result : null,
    reason: state === 'REVOKED' ? revocationOf(meta) : null,
    expired: false,
  };
}

/** Whether a task has ended. */
export function isFinal(meta: ResultMeta | undefined): boolean {
  return meta !== undefined && FINAL_TASK_STATES.includes(meta.state);
}

function latest(reported: TaskProgress | null, stored: TaskProgress | undefined): TaskProgress | null {
  if (reported === null) return stored ?? null;
  if (stored === undefined || stored.attempt < reported.attempt) return reported;
  return stored.attempt > reported.attempt || stored.sequence > reported.sequence ? stored : reported;
}
