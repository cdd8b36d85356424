import type { JsonObject, JsonValue } from '../../../core/json.js';
import { isMarked } from './header-table.js';
import { isBrokerHeader, isHubHeader, type HeaderTable } from './hub-headers.js';

/**
 * What a consumer sees of the headers of a message: JSON, without those of the hub and of the broker. Values that JSON
 * does not know become: a time ISO 8601 text, bytes base64 text, a decimal a number, NaN and infinities `null`.
 * @param marked whether `{ '!': 'timestamp', … }` is a typed value as amqplib decoded it, not an object of the sender's
 */
export function visibleHeaders(headers: HeaderTable, marked: boolean): JsonObject {
  const visible: JsonObject = {};
  for (const name of Object.keys(headers)) {
    if (isHubHeader(name) || isBrokerHeader(name)) continue;
    visible[name] = toJsonValue(headers[name], marked);
  }
  return visible;
}

function toJsonValue(value: unknown, marked: boolean): JsonValue {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value !== 'object' || value === null) return null;
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map((item) => toJsonValue(item, marked));
  if (marked && isMarked(value)) return markedValue(value);
  const object: JsonObject = {};
  for (const [name, item] of Object.entries(value)) object[name] = toJsonValue(item, marked);
  return object;
}

function markedValue({ '!': type, value }: { '!': string; value: unknown }): JsonValue {
  if (type === 'timestamp') {
    const time = new Date(Number(value) * 1000);
    return Number.isNaN(time.getTime()) ? String(value) : time.toISOString();
  }
  const { digits, places } = value as { digits: number; places: number };
  return digits / 10 ** places;
}
