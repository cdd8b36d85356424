import { HubError, type HubErrorOptions } from '../../../../core/errors.js';
import type { JsonObject, JsonValue } from '../../../../core/json.js';

/**
 * Headers of protocol 2, and the attributes of a task's request, which a header of the same name would replace.
 * https://docs.celeryq.dev/en/stable/internals/protocol.html
 */
const RESERVED: ReadonlySet<string> = new Set([
  ...['lang', 'task', 'id', 'root_id', 'parent_id', 'group', 'group_index', 'meth', 'shadow', 'eta', 'expires'],
  ...['retries', 'timelimit', 'argsrepr', 'kwargsrepr', 'origin', 'ignore_result', 'replaced_task_nesting'],
  ...['stamped_headers', 'stamps', 'compression', 'redelivered', 'args', 'kwargs', 'headers', 'properties', 'chain'],
  ...['chord', 'callbacks', 'errbacks', 'called_directly', 'correlation_id', 'delivery_info', 'hostname', 'is_eager'],
  ...['loglevel', 'logfile', 'reply_to', 'taskset', 'utc', 'as_execution_options', 'update', 'clear', 'get'],
  ...['children', 'time_limit', 'soft_time_limit', 'CC', 'BCC'],
]);

/** Of Python's own attributes, of the broker, and of the hub's Python helper. */
const RESERVED_PREFIX = /^(_|x-|hub-)/;
/** Bytes of a name in an AMQP table. */
const MAX_NAME = 255;

/**
 * Throws `INVALID_ARGUMENT` for a header that Celery or the broker would take for one of its own, and for a name that AMQP
 * cannot carry; at any depth, since the broker reads nested tables too.
 */
export function checkTaskHeaders(headers: JsonObject, source: HubErrorOptions): void {
  for (const name of Object.keys(headers)) {
    if (!RESERVED.has(name) && !RESERVED_PREFIX.test(name)) continue;
    const text = `the header ${JSON.stringify(name)} is one of Celery's or the broker's own: give yours another name.`;
    throw new HubError('INVALID_ARGUMENT', text, source);
  }
  checkNames(headers, source);
}

function checkNames(value: JsonValue, source: HubErrorOptions): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) checkNames(item, source);
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    // amqplib reads an object with the key `!` as a typed value.
    if (name === '' || name === '!' || name === '__proto__' || Buffer.byteLength(name) > MAX_NAME) {
      const shown = JSON.stringify(name.slice(0, 40));
      const text = `the name ${shown} within the headers cannot be carried: 1 to ${MAX_NAME} bytes, and not "!".`;
      throw new HubError('INVALID_ARGUMENT', text, source);
    }
    checkNames(inner, source);
  }
}
