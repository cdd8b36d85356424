import { HubError, type HubErrorOptions } from '../../../../core/errors.js';
import type { JsonValue } from '../../../../core/json.js';

/** Deepest nesting that is sent: Python's own parser gives up at about 1000, in the worker's main process. */
export const MAX_DEPTH = 200;

/** In front of the text that stands for a number that JSON does not have. */
const NUMBER = '\u0000hub:';
/** Strings, so that nothing is found inside them, and what Python writes for numbers that JSON does not have. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g;
const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

/**
 * Throws `PAYLOAD_INVALID` for JSON text that a Python worker could not take: an object with exactly the keys `__type__`
 * and `__value__` (kombu's mark for types that JSON does not have), half of a surrogate pair, and what is nested more than
 * 200 deep. Such a message would be lost, or end the worker that takes it.
 */
export function checkForKombu(json: string, what: string, source: HubErrorOptions): void {
  const suspicious = json.includes('"__type__"') || json.includes('\\ud') || depthOf(json) > MAX_DEPTH;
  if (suspicious) check(JSON.parse(json) as JsonValue, what, source, 1);
}

/** Upper bound of the nesting, by its brackets, also those within strings. */
function depthOf(json: string): number {
  // Each level has two of them.
  if (json.length <= 2 * MAX_DEPTH) return MAX_DEPTH;
  let [depth, deepest] = [0, 0];
  for (let index = 0; index < json.length; index += 1) {
    const code = json.charCodeAt(index);
    // [ or {
    if (code === 91 || code === 123) deepest = Math.max(deepest, (depth += 1));
    // ] or }
    else if (code === 93 || code === 125) depth -= 1;
  }
  return deepest;
}

function check(value: JsonValue, what: string, source: HubErrorOptions, depth: number): void {
  if (typeof value === 'string') return checkText(value, what, source);
  if (typeof value !== 'object' || value === null) return;
  if (depth > MAX_DEPTH) refuse(`is nested more than ${MAX_DEPTH} deep`, what, source);
  if (Array.isArray(value)) {
    for (const item of value) check(item, what, source, depth + 1);
    return;
  }
  const keys = Object.keys(value);
  if (keys.length === 2 && '__type__' in value && '__value__' in value) {
    refuse(
      'holds an object with just the keys __type__ and __value__, which mean something else to Python',
      what,
      source,
    );
  }
  for (const key of keys) {
    checkText(key, what, source);
    check(value[key] ?? null, what, source, depth + 1);
  }
}

function checkText(text: string, what: string, source: HubErrorOptions): void {
  if (LONE_SURROGATE.test(text)) refuse('holds half of a surrogate pair, which is no text to Python', what, source);
}

function refuse(fault: string, what: string, source: HubErrorOptions): never {
  throw new HubError('PAYLOAD_INVALID', `${what} ${fault}.`, source);
}

/**
 * Parses what a Python worker has written: JSON, with the numbers NaN and ±Infinity, and kombu's typed values, of which
 * dates, times, decimals and UUIDs become text, and bytes their base64. Throws a `SyntaxError` for anything else.
 * https://docs.celeryq.dev/projects/kombu/en/stable/userguide/serialization.html
 */
export function parseKombuJson(text: string): JsonValue {
  const typed = text.includes('"__type__"');
  try {
    return JSON.parse(text, typed ? revive : undefined) as JsonValue;
  } catch (error) {
    const marked = text.replace(TOKENS, (token) => (token.startsWith('"') ? token : JSON.stringify(NUMBER + token)));
    if (marked === text) throw error;
    return JSON.parse(marked, (key, value: unknown) => numberOf(typed ? revive(key, value) : value)) as JsonValue;
  }
}

function numberOf(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith(NUMBER) ? Number(value.slice(NUMBER.length)) : value;
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { __type__: type, __value__: inner, ...others } = value as Record<string, unknown>;
  if (typeof type !== 'string' || inner === undefined || Object.keys(others).length > 0) return value;
  switch (type) {
    case 'datetime':
    case 'date':
    case 'time':
    case 'decimal':
    case 'bytes':
    case 'base64':
      return inner;
    case 'uuid':
      return uuidText(inner);
    default:
      return value;
  }
}

function uuidText(inner: unknown): unknown {
  const hex = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)['hex'] : undefined;
  if (typeof hex !== 'string' || !/^[0-9a-f]{32}$/i.test(hex)) return inner;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
