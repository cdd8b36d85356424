import { errorMessage, HubError, type HubErrorOptions } from './errors.js';

/** Any value that JSON can carry. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

/** A JSON object. */
export type JsonObject = { [key: string]: JsonValue };

/** So deep the usual values are, so that no path and no cycle has to be followed for them. */
const PLAIN_DEPTH = 16;

/**
 * `value` as JSON text, or `PAYLOAD_INVALID` naming the place of what JSON would drop or change: undefined in arrays,
 * functions, symbols, bigints, NaN, infinities, cycles, and class instances without `toJSON` (maps, sets, buffers).
 * Properties that are `undefined` are left out, and dates become ISO 8601 strings, as `JSON.stringify` does. What throws
 * when it is read, or is nested too deeply for that, is `PAYLOAD_INVALID`, too.
 * @param what how the error calls the value, e.g. `result of task "train"`
 */
export function toJson(value: unknown, what: string, source: HubErrorOptions = {}): string {
  try {
    if (!isPlain(value, PLAIN_DEPTH)) checkJson(value, what, source);
    return JSON.stringify(value);
  } catch (error) {
    if (HubError.is(error)) throw error;
    throw new HubError('PAYLOAD_INVALID', `${what} cannot be read: ${errorMessage(error)}`, {
      ...source,
      cause: error,
    });
  }
}

/** Whether JSON carries `value` as it is, without a second look; `false` for what is odd, and for what is deep or a cycle. */
function isPlain(value: unknown, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || depth === 0 || 'toJSON' in value) return false;
  if (Array.isArray(value)) return value.every((item) => isPlain(item, depth - 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.values(value).every((item) => isPlain(item, depth - 1));
}

/** Throws `PAYLOAD_INVALID` naming the place of what JSON cannot carry. */
function checkJson(value: unknown, what: string, source: HubErrorOptions): void {
  const open = new Set<object>();
  const fail = (path: string, found: string): never => {
    throw new HubError('PAYLOAD_INVALID', `${what} holds ${found} at ${path}, which JSON cannot carry.`, source);
  };
  const check = (item: unknown, path: string): void => {
    switch (typeof item) {
      case 'string':
      case 'boolean':
        return;
      case 'number':
        if (!Number.isFinite(item)) fail(path, String(item));
        return;
      case 'object':
        break;
      default:
        fail(path, item === undefined ? 'undefined' : `a ${typeof item}`);
    }
    if (item === null) return;
    const object = item as object;
    if (open.has(object)) fail(path, 'a cycle');
    if ('toJSON' in object && typeof object.toJSON === 'function' && !Buffer.isBuffer(object)) {
      open.add(object);
      check(object.toJSON(), path);
      open.delete(object);
      return;
    }
    open.add(object);
    if (Array.isArray(object)) object.forEach((entry, index) => check(entry, `${path}[${index}]`));
    else {
      const prototype: unknown = Object.getPrototypeOf(object);
      if (prototype !== Object.prototype && prototype !== null) fail(path, `a ${object.constructor.name}`);
      for (const [key, entry] of Object.entries(object)) if (entry !== undefined) check(entry, `${path}.${key}`);
    }
    open.delete(object);
  };
  check(value, '$');
}
