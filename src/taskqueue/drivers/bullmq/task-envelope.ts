import type { JsonObject, JsonValue } from '../../../core/json.js';
import type { RetryPolicy } from '../../../core/retry.js';
import type { NormalizedSubmission } from '../../taskqueue.validation.js';

/** The `data` of a job: what a task is called with. README.md describes it for other languages. */
export interface TaskEnvelope {
  args: JsonValue[];
  kwargs: JsonObject;
  headers?: JsonObject;
  /** ms since 1970: not to be started after. */
  expires?: number;
  /** ms for one attempt. */
  timeLimit?: number;
  retry?: RetryPolicy;
}

const KEYS: readonly string[] = ['args', 'kwargs', 'headers', 'expires', 'timeLimit', 'retry'];

/** JSON text of {@link encodeTask}, from the texts that the check has made. */
export function envelopeText({ args, kwargs, headers, expires, timeLimit, retry }: NormalizedSubmission): string {
  let text = `{"args":${args},"kwargs":${kwargs}`;
  if (headers !== '{}') text += `,"headers":${headers}`;
  if (expires !== null) text += `,"expires":${expires}`;
  if (timeLimit !== null) text += `,"timeLimit":${timeLimit}`;
  if (retry !== null) text += `,"retry":${JSON.stringify(retry)}`;
  return `${text}}`;
}

/** The envelope of a checked submission. */
export function encodeTask(task: NormalizedSubmission): TaskEnvelope {
  const { args, kwargs, headers, expires, timeLimit, retry } = task;
  return {
    args: JSON.parse(args) as JsonValue[],
    kwargs: JSON.parse(kwargs) as JsonObject,
    ...(headers === '{}' ? {} : { headers: JSON.parse(headers) as JsonObject }),
    ...(expires === null ? {} : { expires }),
    ...(timeLimit === null ? {} : { timeLimit }),
    ...(retry === null ? {} : { retry }),
  };
}

/**
 * The envelope in the `data` of a job. Data that is none, from other producers, is what the task is called with: an object
 * its named arguments, a list its positional ones, anything else its only one.
 */
export function decodeTask(data: unknown): TaskEnvelope {
  if (data === undefined || data === null) return { args: [], kwargs: {} };
  if (Array.isArray(data)) return { args: data as JsonValue[], kwargs: {} };
  if (typeof data !== 'object') return { args: [data as JsonValue], kwargs: {} };
  if (!isEnvelope(data)) return { args: [], kwargs: data as JsonObject };
  const { args, kwargs, headers, expires, timeLimit, retry } = data;
  return {
    args: Array.isArray(args) ? (args as JsonValue[]) : [],
    kwargs: isObject(kwargs) ? (kwargs as JsonObject) : {},
    ...(isObject(headers) ? { headers: headers as JsonObject } : {}),
    ...(typeof expires === 'number' ? { expires } : {}),
    ...(typeof timeLimit === 'number' && timeLimit > 0 ? { timeLimit } : {}),
    ...(isObject(retry) ? { retry: retry as RetryPolicy } : {}),
  };
}

function isEnvelope(data: object): data is Record<string, unknown> {
  const { args, kwargs } = data as Record<string, unknown>;
  return (Array.isArray(args) || isObject(kwargs)) && Object.keys(data).every((key) => KEYS.includes(key));
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
