import type { JsonValue } from '../../../core/json.js';
import type { TaskError, TaskProgress, TaskState, TaskStatus } from '../../taskqueue.types.js';

/** In front of the `failedReason` of a job that is REVOKED. */
export const REVOKED_MARK = 'TASK_REVOKED: ';
/** Field of a job's hash: attempts whose worker thread died. Those whose process died are BullMQ's `stc`. */
export const LOST_FIELD = 'hub:lost';
/** What BullMQ says of a job whose workers died too often. */
const STALLED_TOO_OFTEN = 'job stalled more than allowable limit';

/** Fields of a job's hash that a record is made of. The order is that of {@link recordOf}. */
export const RECORD_FIELDS = [
  'name',
  'timestamp',
  'processedOn',
  'finishedOn',
  'atm',
  'stc',
  'progress',
  'failedReason',
  'stacktrace',
  'returnvalue',
  'opts',
  'defa',
] as const;

/** A task as it is in Redis. */
export interface TaskRecord extends TaskStatus {
  queue: string;
  /** JSON text of the result. */
  result: string | null;
  /** Why it is REVOKED. */
  reason: string | null;
  /** Whether its result was kept for its time. */
  expired: boolean;
}

/**
 * The record of a job, or `undefined` for a hash that is none.
 * @param fields values of {@link RECORD_FIELDS}
 * @param locked whether a worker holds it
 * @param expires from its envelope, in ms since 1970
 */
export function recordOf(
  taskId: string,
  queue: string,
  fields: readonly (string | null)[],
  locked: boolean,
  expires: number | undefined,
): TaskRecord | undefined {
  const [name, timestamp, processedOn, finishedOn, atm, stc, progress, failedReason, stacktrace, result, opts, defa] =
    fields;
  if (name === null || name === undefined) return undefined;
  const made = Number(atm ?? 0);
  const stalled = Number(stc ?? 0);
  const failure = errorOf(failedReason ?? '', stacktrace ?? null);
  const base = {
    taskId,
    queue,
    name,
    submittedAt: numberOf(timestamp),
    finishedAt: numberOf(finishedOn),
    reason: null,
    result: null,
    error: null,
    expired: isExpired(numberOf(finishedOn), opts ?? null),
  };
  const attempt = made + stalled;
  const startedAt = numberOf(processedOn);
  if (base.finishedAt !== null) {
    const latest = progressOf(progress ?? null, attempt, startedAt);
    if (result !== null && result !== undefined) {
      return { ...base, state: 'SUCCESS', attempt, progress: latest, startedAt, result };
    }
    if (failedReason?.startsWith(REVOKED_MARK) === true) {
      const reason = failedReason.slice(REVOKED_MARK.length);
      // One that was taken only to be revoked has not started.
      const started = stacktrace && NOT_STARTED_STACK.test(stacktrace) ? attempt - 1 : attempt;
      const at = started === 0 ? null : startedAt;
      return { ...base, state: 'REVOKED', attempt: started, progress: latest, startedAt: at, reason };
    }
    // The attempt that BullMQ counts for saying so never ran.
    const ran = failedReason === STALLED_TOO_OFTEN ? attempt - 1 : attempt;
    return { ...base, state: 'FAILURE', attempt: ran, progress: latest, startedAt, error: failure };
  }
  if (locked) {
    const latest = progressOf(progress ?? null, attempt + 1, startedAt);
    const state = latest?.attempt === attempt + 1 ? 'PROGRESS' : 'STARTED';
    return { ...base, state, attempt: attempt + 1, progress: latest, startedAt };
  }
  const latest = progressOf(progress ?? null, attempt, startedAt);
  if (defa?.startsWith(REVOKED_MARK) === true) {
    return { ...base, state: 'REVOKED', attempt, progress: latest, startedAt, reason: defa.slice(REVOKED_MARK.length) };
  }
  if (attempt === 0 && expires !== undefined && expires <= Date.now()) {
    const reason = 'it had not started when it expired';
    return { ...base, state: 'REVOKED', attempt, progress: latest, startedAt: null, finishedAt: expires, reason };
  }
  const state: TaskState = attempt === 0 ? 'PENDING' : 'RETRY';
  const error = state === 'RETRY' && failedReason ? failure : null;
  return { ...base, state, attempt, progress: latest, startedAt: attempt === 0 ? null : startedAt, error };
}

/** Type in the stack of a job that was revoked before its handler was called. */
export const NOT_STARTED = 'TaskNotStarted';
/** The same, or what BullMQ writes for a deferred failure. */
const NOT_STARTED_STACK = new RegExp(`(?:${NOT_STARTED}|UnrecoverableError): ${REVOKED_MARK}`);

/** The stack that a failure is stored with: its first line is `type: message`, from which {@link errorOf} reads the type. */
export function stackOf({ type, message, stack }: TaskError): string {
  const head = `${type}: ${message}`;
  if (stack === undefined || stack.startsWith(head)) return stack ?? head;
  return `${head}\n${stack}`;
}

/** The error of a failed job: from the last of its stacks, in JavaScript's or Python's form, and its reason. */
export function errorOf(message: string, stacktrace: string | null): TaskError {
  if (message === STALLED_TOO_OFTEN) {
    return { type: 'WorkerLost', message: 'the workers that ran the task ended before it did, too often' };
  }
  const stack = lastStack(stacktrace);
  if (stack === undefined) return { type: 'Error', message };
  const type = typeIn(stack, message);
  return stack === `${type}: ${message}` ? { type, message } : { type, message, stack };
}

/** What a job reported last; numbers and others that are not the hub's own count as its first report. */
export function progressOf(json: string | null, attempt: number, startedAt: number | null): TaskProgress | null {
  const value = parse(json);
  // BullMQ starts every job with 0.
  if (value === undefined || value === null || value === 0) return null;
  if (typeof value === 'object' && !Array.isArray(value)) {
    const { sequence, attempt: of, timestamp, data } = value;
    if (typeof sequence === 'number' && typeof of === 'number' && typeof timestamp === 'number') {
      return { sequence, attempt: of, data: data ?? null, timestamp };
    }
  }
  return { sequence: 1, attempt: Math.max(1, attempt), data: value, timestamp: startedAt ?? 0 };
}

function typeIn(stack: string, message: string): string {
  const lines = stack.trimEnd().split('\n');
  // Python ends with what JavaScript starts with.
  const head = /^Traceback /.test(stack) ? (lines.find((line) => /^[\w.]+: /.test(line)) ?? '') : (lines[0] ?? '');
  const end = message === '' ? -1 : head.indexOf(`: ${message.split('\n')[0] ?? ''}`);
  return (end > 0 ? head.slice(0, end) : /^[^\s:]+/.exec(head)?.[0]) || 'Error';
}

function lastStack(stacktrace: string | null): string | undefined {
  const stacks = parse(stacktrace);
  const last = Array.isArray(stacks) ? stacks.at(-1) : undefined;
  return typeof last === 'string' && last !== '' ? last : undefined;
}

function isExpired(finishedAt: number | null, opts: string | null): boolean {
  const options = finishedAt === null ? undefined : parse(opts);
  if (finishedAt === null || typeof options !== 'object' || options === null || Array.isArray(options)) return false;
  const keep = options['removeOnComplete'];
  const age = typeof keep === 'object' && keep !== null && !Array.isArray(keep) ? keep['age'] : undefined;
  return typeof age === 'number' && finishedAt + age * 1_000 <= Date.now();
}

function numberOf(text: string | null | undefined): number | null {
  const value = Number(text ?? Number.NaN);
  return Number.isFinite(value) ? value : null;
}

function parse(json: string | null): JsonValue | undefined {
  if (json === null || json === '') return undefined;
  try {
    return JSON.parse(json) as JsonValue;
  } catch {
    return undefined;
  }
}
