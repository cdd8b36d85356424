import { randomUUID } from 'node:crypto';
import { HubError, type HubErrorOptions } from '../core/errors.js';
import { toJson } from '../core/json.js';
import { checkRetry, type RetryPolicy } from '../core/retry.js';
import type { TaskOptions, TaskQueueSupports, TaskSubmission } from './taskqueue.types.js';

const TASK_ID = /^[A-Za-z0-9_.-]{1,128}$/;
const TASK_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,199}$/;
/** The last that a Date holds, in ms since 1970. */
const LAST_DATE = 8.64e15;
const QUEUE_NAME = /^[A-Za-z0-9_.-]{1,128}$/;

/** A checked submission: defaults filled in, times absolute, payload as JSON text. */
export interface NormalizedSubmission {
  taskId: string;
  /** Whether the id was made by the check, so that nothing before can have had it. */
  generated: boolean;
  name: string;
  /** JSON text of the positional arguments. */
  args: string;
  /** JSON text of the named arguments. */
  kwargs: string;
  /** JSON text of the headers. */
  headers: string;
  /** `undefined`: the driver's default queue. */
  queue: string | undefined;
  priority: number;
  /** Not before, in ms since 1970; the time of the check when neither countdown nor eta was given. */
  due: number;
  /** Not after, in ms since 1970, or `null`. */
  expires: number | null;
  retry: RetryPolicy | null;
  /** ms, or `null`. */
  timeLimit: number | null;
}

/** What a submission is checked against. */
export interface SubmissionRules {
  supports: TaskQueueSupports;
  /** Most bytes of args, kwargs and headers together. */
  maxPayloadBytes: number;
  /** Plugin, driver and operation for errors. */
  source: HubErrorOptions;
}

/**
 * Checks a submission as every driver has to. Throws `INVALID_ARGUMENT`, `PAYLOAD_INVALID` (not JSON, or too large) and
 * `UNSUPPORTED` (priority or retry that the driver cannot do).
 * @param now ms since 1970
 */
export function normalizeSubmission(
  task: TaskSubmission,
  rules: SubmissionRules,
  now = Date.now(),
): NormalizedSubmission {
  const { supports, source } = rules;
  const { priority = 0, retry, timeLimit, queue } = task;
  checkTaskName(task.name, source);
  if (queue !== undefined) checkQueueName(queue, source);
  if (!Number.isInteger(priority) || priority < 0 || priority > 9) {
    fail(source, `priority has to be a whole number from 0 to 9, not ${String(priority)}.`);
  }
  if (priority !== 0 && !supports.priority) unsupported(source, 'priority', 'leave it out, or use a queue of its own.');
  if (retry !== undefined && !supports.submitRetry) {
    unsupported(source, 'retry', 'set it where the task is registered, or in the decorator of the worker.');
  }
  checkTimeLimit(timeLimit, source);
  if (retry !== undefined) checkRetry(retry, source);
  const taskId = task.taskId === undefined ? randomUUID() : checkTaskId(task.taskId, source);
  const { args, kwargs, headers } = checkPayload(task, rules);
  return {
    taskId,
    generated: task.taskId === undefined,
    name: task.name,
    args,
    kwargs,
    headers,
    queue,
    priority,
    due: dueTime(task, now, source),
    expires: expiryTime(task.expires, now, source),
    retry: retry ?? null,
    timeLimit: timeLimit ?? null,
  };
}

/**
 * What `submitTask(name, options)` submits. The name comes first: V8 looks up every field by its name in a copy that one was
 * added to, which is 3 µs a task.
 */
export function namedTask(name: string, options: Omit<TaskSubmission, 'name'>): TaskSubmission {
  const task = { name, ...options };
  // Whatever options without a type say.
  task.name = name;
  return task;
}

/** The id as it is, or `INVALID_ARGUMENT`: 1 to 128 letters, digits, `_`, `-`, `.`; not a whole number. */
export function checkTaskId(taskId: unknown, source: HubErrorOptions): string {
  if (typeof taskId === 'string' && TASK_ID.test(taskId) && !/^\d+$/.test(taskId)) return taskId;
  return fail(
    source,
    `a taskId has to be 1 to 128 letters, digits, "_", "-" or ".", and not a whole number; ${quote(taskId)} is not.`,
  );
}

/** `INVALID_ARGUMENT` unless `name` is 1 to 200 letters, digits, `_`, `.`, `:`, `/`, `-`. */
export function checkTaskName(name: unknown, source: HubErrorOptions): void {
  if (typeof name === 'string' && TASK_NAME.test(name)) return;
  fail(source, `a task name has to be 1 to 200 letters, digits, "_", ".", ":", "/" or "-"; ${quote(name)} is not.`);
}

/** `INVALID_ARGUMENT` unless `queue` is 1 to 128 letters, digits, `_`, `-`, `.`. */
export function checkQueueName(queue: unknown, source: HubErrorOptions): void {
  if (typeof queue === 'string' && QUEUE_NAME.test(queue)) return;
  fail(source, `a queue name has to be 1 to 128 letters, digits, "_", "-" or "."; ${quote(queue)} is not.`);
}

/** `INVALID_ARGUMENT` unless retry policy and time limit make sense. */
export function checkTaskOptions({ retry, timeLimit }: TaskOptions, source: HubErrorOptions): void {
  checkTimeLimit(timeLimit, source);
  if (retry !== undefined) checkRetry(retry, source);
}

/** `INVALID_ARGUMENT` unless `ms` is a number from 0. */
export function checkTimeout(ms: number, source: HubErrorOptions): void {
  if (typeof ms === 'number' && ms >= 0) return;
  fail(source, `timeout has to be a number of ms from 0, not ${String(ms)}.`);
}

function checkTimeLimit(timeLimit: number | undefined, source: HubErrorOptions): void {
  if (timeLimit === undefined || (Number.isFinite(timeLimit) && timeLimit > 0)) return;
  fail(source, `timeLimit has to be a number of ms above 0, not ${String(timeLimit)}.`);
}

function checkPayload(
  task: TaskSubmission,
  { maxPayloadBytes, source }: SubmissionRules,
): { args: string; kwargs: string; headers: string } {
  const { name, args, kwargs, headers } = task;
  if (args !== undefined && !Array.isArray(args)) fail(source, 'args has to be an array.');
  checkObject(kwargs, 'kwargs', source);
  checkObject(headers, 'headers', source);
  // What is left out, which is most of them, is not looked into.
  const payload = {
    args: args === undefined ? '[]' : toJson(args, `args of task "${name}"`, source),
    kwargs: kwargs === undefined ? '{}' : toJson(kwargs, `kwargs of task "${name}"`, source),
    headers: headers === undefined ? '{}' : toJson(headers, `headers of task "${name}"`, source),
  };
  const bytes =
    Buffer.byteLength(payload.args) + Buffer.byteLength(payload.kwargs) + Buffer.byteLength(payload.headers);
  if (bytes > maxPayloadBytes) throw tooLarge(`the arguments of task "${name}"`, bytes, maxPayloadBytes, source);
  return payload;
}

function checkObject(value: unknown, key: string, source: HubErrorOptions): void {
  if (value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value))) return;
  fail(source, `${key} has to be an object.`);
}

/** The `PAYLOAD_INVALID` error of something above the limit. */
export function tooLarge(what: string, bytes: number, limit: number, source: HubErrorOptions): HubError {
  return new HubError(
    'PAYLOAD_INVALID',
    `${what}: ${bytes} bytes of JSON are more than maxPayloadBytes (${limit}). Store the data elsewhere and pass a ` +
      'reference.',
    source,
  );
}

function dueTime({ countdown, eta }: TaskSubmission, now: number, source: HubErrorOptions): number {
  if (countdown !== undefined && eta !== undefined) fail(source, 'countdown and eta exclude each other: give one.');
  if (countdown !== undefined) {
    if (!(Number.isFinite(countdown) && countdown >= 0)) fail(source, 'countdown has to be a number of ms from 0.');
    return within(Math.ceil(now + countdown), 'countdown', source);
  }
  return eta === undefined ? now : dateTime(eta, 'eta', source);
}

function expiryTime(expires: Date | number | undefined, now: number, source: HubErrorOptions): number | null {
  if (expires === undefined) return null;
  if (expires instanceof Date) return dateTime(expires, 'expires', source);
  if (!(Number.isFinite(expires) && expires >= 0)) fail(source, 'expires has to be a Date or a number of ms from 0.');
  return within(Math.ceil(now + expires), 'expires', source);
}

/** Backends keep times as dates. */
function within(ms: number, what: string, source: HubErrorOptions): number {
  return ms <= LAST_DATE ? ms : fail(source, `${what} is later than any date (${LAST_DATE} ms since 1970).`);
}

function dateTime(value: Date, what: string, source: HubErrorOptions): number {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.getTime();
  return fail(source, `${what} has to be a valid Date.`);
}

function quote(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

function fail(source: HubErrorOptions, message: string): never {
  throw new HubError('INVALID_ARGUMENT', message, source);
}

function unsupported(source: HubErrorOptions, option: string, remedy: string): never {
  throw new HubError('UNSUPPORTED', `this driver cannot take ${option} with a submit: ${remedy}`, source);
}
