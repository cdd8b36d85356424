import type { JsonObject, JsonValue } from '../../../../core/json.js';

/** Header with all headers of the user, as JSON text: any name is possible there. The Python helper reads it. */
export const HUB_HEADERS = 'hub-headers';

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
  ...['children', 'cast', 'errors', 'timeouts', 'CC', 'BCC'],
]);

/** Of Python's own attributes, of the broker, and of the hub. */
const RESERVED_PREFIX = /^(_|x-|hub-)/;
/** Bytes of a name in an AMQP table. */
const MAX_NAME = 255;

/**
 * The headers of a user as they go into a message: all of them as JSON text, and beside it those that cannot be taken for
 * one of Celery's or the broker's own, for tasks that read `self.request.headers`.
 * @param json what the user gave
 */
export function userHeaders(json: string): JsonObject {
  const own = JSON.parse(json) as JsonObject;
  const plain = Object.entries(own).filter(
    ([name, value]) => !RESERVED.has(name) && !RESERVED_PREFIX.test(name) && isCarried(name) && isTable(value),
  );
  return { ...Object.fromEntries(plain), [HUB_HEADERS]: json };
}

function isCarried(name: string): boolean {
  // amqplib reads an object with the key `!` as a typed value.
  return name !== '' && name !== '!' && name !== '__proto__' && Buffer.byteLength(name) <= MAX_NAME;
}

/** Whether AMQP can carry a value within a table. */
function isTable(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isTable);
  return Object.entries(value).every(([name, inner]) => isCarried(name) && isTable(inner));
}
