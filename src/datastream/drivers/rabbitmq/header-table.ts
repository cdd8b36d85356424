import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import {
  isBrokerHeader,
  isRoutingHeader,
  MAX_HEADER_NAME_BYTES,
  MAX_USER_TABLE_BYTES,
  type HeaderTable,
} from './hub-headers.js';

/** Types that amqplib marks as `{ '!': type, value }` when it decodes them, since JavaScript has none such. */
const MARKED_TYPES = new Set(['timestamp', 'decimal']);

/**
 * A sender's headers as a table that amqplib encodes without loss.
 * Throws `INVALID_ARGUMENT` for a name that the broker gives a meaning of its own, and `PAYLOAD_INVALID` for what an AMQP
 * table cannot carry: more than 48 KiB once encoded, names over 255 bytes or `__proto__`.
 */
export function userTable(headers: JsonObject, source: HubErrorOptions): HeaderTable {
  const reserved = Object.keys(headers).find((name) => isBrokerHeader(name) || isRoutingHeader(name));
  if (reserved !== undefined) {
    throw new HubError(
      'INVALID_ARGUMENT',
      `the header ${JSON.stringify(reserved)} means something to RabbitMQ itself. Choose another name.`,
      source,
    );
  }
  checkNames(headers, source);
  const table = encodableTable(headers, false);
  const bytes = tableBytes(table);
  if (bytes <= MAX_USER_TABLE_BYTES) return table;
  throw new HubError(
    'PAYLOAD_INVALID',
    `the headers have ${bytes} bytes, more than the ${MAX_USER_TABLE_BYTES} that fit into an AMQP header frame. Put ` +
      'large values into the payload.',
    { ...source, details: { ...source.details, bytes, maxHeaderBytes: MAX_USER_TABLE_BYTES } },
  );
}

/**
 * Headers in the form that amqplib encodes.
 * @param marked whether `{ '!': 'timestamp', … }` is a typed value as amqplib decoded it, not an object of the sender's
 */
export function encodableTable(headers: object, marked: boolean): HeaderTable {
  const table: HeaderTable = {};
  for (const [name, value] of Object.entries(headers)) table[name] = encodable(value, marked);
  return table;
}

/** How many bytes a table from {@link encodableTable} has as AMQP encodes it, or a few more. */
export function tableBytes(table: object): number {
  let bytes = 4;
  for (const [name, value] of Object.entries(table)) bytes += 1 + Buffer.byteLength(name) + valueBytes(value);
  return bytes;
}

/** Whether `value` is a typed value as amqplib decodes it. */
export function isMarked(value: object): value is { '!': string; value: unknown } {
  return '!' in value && typeof value['!'] === 'string' && MARKED_TYPES.has(value['!']) && 'value' in value;
}

function encodable(value: unknown, marked: boolean): unknown {
  // amqplib takes every large number for a 64-bit integer, and throws when it is none.
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : { '!': 'double', value };
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  if (Array.isArray(value)) return value.map((item) => encodable(item, marked));
  if (marked && isMarked(value)) return value;
  const table = encodableTable(value, marked);
  // In an object of the sender's, "!" is a key like any other; amqplib would take it for the name of a type.
  return '!' in table ? { '!': 'object', value: table } : table;
}

function valueBytes(value: unknown): number {
  if (typeof value === 'string') return 5 + Buffer.byteLength(value);
  if (typeof value !== 'object' || value === null) return 9;
  if (Buffer.isBuffer(value)) return 5 + value.length;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + valueBytes(item), 5);
  if (!('!' in value)) return 1 + tableBytes(value);
  return value['!'] === 'object' && 'value' in value ? 1 + tableBytes(value.value as object) : 9;
}

function checkNames(value: unknown, source: HubErrorOptions): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) checkNames(item, source);
    return;
  }
  for (const [name, item] of Object.entries(value)) {
    if (name === '__proto__' || Buffer.byteLength(name) > MAX_HEADER_NAME_BYTES) {
      throw new HubError(
        'PAYLOAD_INVALID',
        `AMQP cannot carry the header name ${JSON.stringify(name.slice(0, 100))}: a name has at most ` +
          `${MAX_HEADER_NAME_BYTES} bytes and is not __proto__.`,
        source,
      );
    }
    checkNames(item, source);
  }
}
