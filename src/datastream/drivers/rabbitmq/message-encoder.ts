import type { Options } from 'amqplib';
import type { HubErrorOptions } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import type { SealedMessage } from '../../datastream.validation.js';
import { userTable } from './header-table.js';
import { SENT_AT, TTL, type HeaderTable } from './hub-headers.js';

/** Content type of a JSON payload. */
export const JSON_TYPE = 'application/json';

/** Content type of a payload of bytes. */
export const BYTES_TYPE = 'application/octet-stream';

/** A message as amqplib publishes it. */
export interface EncodedMessage {
  content: Buffer;
  /** Persistent and mandatory, with a message id. */
  properties: Options.Publish;
}

/**
 * A sealed message in the form of AMQP. Throws `INVALID_ARGUMENT` and `PAYLOAD_INVALID` for headers that AMQP cannot
 * carry.
 * @param now time of sending, ms since 1970
 */
export function encodeMessage(sealed: SealedMessage, now: number, source: HubErrorOptions = {}): EncodedMessage {
  const { body, ttl } = sealed;
  return {
    content: typeof body === 'string' ? Buffer.from(body) : toBuffer(body),
    // Always the same fields, so that the engine keeps one shape for all of them; amqplib skips what is undefined.
    properties: {
      contentType: sealed.encoding === 'json' ? JSON_TYPE : BYTES_TYPE,
      headers: encodeHeaders(sealed, now, source),
      deliveryMode: 2,
      mandatory: true,
      priority: sealed.priority === 0 ? undefined : sealed.priority,
      correlationId: sealed.correlationId ?? undefined,
      expiration: ttl === null ? undefined : String(ttl),
      messageId: sealed.messageId,
      timestamp: Math.floor(now / 1000),
    },
  };
}

/** The last table that held nothing but the time of sending. */
let bareTable: HeaderTable = { [SENT_AT]: 0 };

function encodeHeaders({ headers, ttl }: SealedMessage, now: number, source: HubErrorOptions): HeaderTable {
  if (headers === '{}' && ttl === null) {
    // Shared by the messages of a millisecond: amqplib makes a prototype of each table, which costs the engine more than
    // the rest of the message.
    if (bareTable[SENT_AT] !== now) bareTable = { [SENT_AT]: now };
    return bareTable;
  }
  const table = userTable(JSON.parse(headers) as JsonObject, source);
  table[SENT_AT] = now;
  if (ttl !== null) table[TTL] = ttl;
  return table;
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
