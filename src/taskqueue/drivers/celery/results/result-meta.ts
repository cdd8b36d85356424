import type { JsonValue } from '../../../../core/json.js';
import type { TaskError, TaskProgress, TaskState } from '../../../taskqueue.types.js';
import { parseKombuJson } from '../message/kombu-json.js';
import { readWireTime } from '../message/wire-time.js';

/** A task's state as a worker has stored or sent it. https://docs.celeryq.dev/en/stable/userguide/tasks.html#states */
export interface ResultMeta {
  taskId: string;
  /** Celery's own word. */
  status: string;
  state: TaskState;
  /** What the task returned, reported, or failed with. */
  result: JsonValue;
  traceback: string | null;
  /** ms since 1970 of the end, or `null`. */
  finishedAt: number | null;
  /** With `result_extended`. */
  name: string | null;
  /** From the hub's Python helper, or from `result_extended`; `null` when unknown. */
  attempt: number | null;
  /** ms since 1970: when it came here. */
  seenAt: number;
}

const STATES: Record<string, TaskState> = {
  PENDING: 'PENDING',
  RECEIVED: 'PENDING',
  STARTED: 'STARTED',
  RETRY: 'RETRY',
  SUCCESS: 'SUCCESS',
  FAILURE: 'FAILURE',
  REVOKED: 'REVOKED',
  REJECTED: 'PENDING',
  IGNORED: 'PENDING',
};

/** Reads what a worker has written; `undefined` for what is no task's state, or of another task than `taskId`. Never throws. */
export function readMeta(text: string, taskId?: string): ResultMeta | undefined {
  let meta: JsonValue;
  try {
    meta = parseKombuJson(text);
  } catch {
    return undefined;
  }
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) return undefined;
  const { task_id: id = taskId, status, result = null, traceback, date_done: done, name, retries } = meta;
  if (typeof id !== 'string' || typeof status !== 'string' || (taskId !== undefined && id !== taskId)) return undefined;
  // States of an application's own are what it reports while it runs.
  const state = Object.hasOwn(STATES, status) ? (STATES[status] ?? 'PROGRESS') : 'PROGRESS';
  const runs = state === 'STARTED' || state === 'PROGRESS';
  return {
    taskId: id,
    status,
    state,
    result,
    traceback: typeof traceback === 'string' ? traceback : null,
    finishedAt: readWireTime(done),
    name: typeof name === 'string' ? name : null,
    attempt: (runs ? attemptIn(result) : null) ?? (typeof retries === 'number' ? retries + 1 : null),
    seenAt: Date.now(),
  };
}

/** The error of FAILURE and RETRY. Never throws, whatever is stored there. */
export function errorOf({ result, traceback }: ResultMeta): TaskError {
  const stack = traceback === null ? {} : { stack: traceback };
  if (typeof result !== 'object' || result === null || Array.isArray(result)) {
    // Written by something else than Python, or lost on the way.
    return { type: 'Error', message: result === null ? 'no reason is stored' : textOf(result), ...stack };
  }
  const { exc_type: type, exc_message: message } = result;
  const parts = Array.isArray(message) ? message : message === undefined || message === null ? [] : [message];
  return {
    type: typeof type === 'string' && type !== '' ? type : 'Error',
    message: parts.map(textOf).join(', '),
    ...stack,
  };
}

/** Why a task is REVOKED: `revoked`, `terminated` or `expired`, as workers say it. */
export function revocationOf(meta: ResultMeta): string {
  return errorOf(meta).message || 'revoked';
}

/** The report in a meta of state PROGRESS; that of a worker without the hub's helper counts as the attempt's first. */
export function progressOf({ status, result, state, seenAt, attempt }: ResultMeta): TaskProgress | null {
  if (state !== 'PROGRESS') return null;
  return (
    helperProgress(result) ?? { sequence: 1, attempt: attempt ?? 1, data: dataOf(status, result), timestamp: seenAt }
  );
}

/** A report as the hub's Python helper makes it, or `null`. */
export function helperProgress(value: JsonValue): TaskProgress | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { sequence, attempt, data, timestamp } = value;
  if (typeof sequence !== 'number' || typeof attempt !== 'number' || typeof timestamp !== 'number') return null;
  return { sequence, attempt, data: data ?? null, timestamp };
}

function dataOf(status: string, result: JsonValue): JsonValue {
  return status === 'PROGRESS' ? result : { state: status, meta: result };
}

function attemptIn(result: JsonValue): number | null {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return null;
  const { attempt } = result;
  return typeof attempt === 'number' && Number.isInteger(attempt) && attempt > 0 ? attempt : null;
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
