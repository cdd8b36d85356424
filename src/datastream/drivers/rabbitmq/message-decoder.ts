import { randomUUID } from 'node:crypto';
import type { ConsumeMessage, GetMessage } from 'amqplib';
import type { Message } from '../../datastream.types.js';
import { visibleHeaders } from './foreign-headers.js';
import {
  ATTEMPT,
  DEAD_REASON,
  DELIVERY_COUNT,
  EXPIRES_AT,
  FAILED,
  FAILURES,
  headerNumber,
  SENT_AT,
  TTL,
  type HeaderTable,
} from './hub-headers.js';
import { decodePayload } from './payload-decoder.js';

/** A message as amqplib delivers it. */
export type RawMessage = ConsumeMessage | GetMessage;

/** A handler's failure at a message. */
export interface Failure {
  /** The delivery at which it failed. */
  attempt: number;
  /** ms since 1970. */
  at: number;
  /** The error message, shortened. */
  detail: string;
}

/** A message as it was taken from its queue. */
export interface ReceivedMessage {
  /** What its handler sees. */
  message: Message;
  queue: string;
  /** How often it has been delivered, this time included. */
  attempt: number;
  /** Whether only this process knows of the last delivery, as the broker does not count those of a classic queue. */
  uncounted: boolean;
  /** When it expires, ms since 1970; `null`: never by its own expiration. */
  expiresAt: number | null;
  /** Its own time to live in ms. */
  ttl: number | null;
  /** The last failures, up to 10, oldest first. */
  failures: readonly Failure[];
  /** How often handlers have failed at it in all. */
  failureCount: number;
  /** Why the payload cannot be read (then it holds the bytes); a consumer cannot handle such a message. */
  fault: string | undefined;
  /** The message as amqplib gave it: needed to settle it. */
  raw: RawMessage;
}

const NO_HEADERS: HeaderTable = Object.freeze({});
const NO_FAILURES: readonly Failure[] = Object.freeze([]);

/**
 * Reads a delivery of a data queue. Never throws; see {@link ReceivedMessage.fault}. Messages of other clients get what
 * they lack: a random id, the time of receipt.
 * @param receivedAt ms since 1970
 */
export function decodeMessage(raw: RawMessage, queue: string, receivedAt: number): ReceivedMessage {
  const { properties } = raw;
  const headers: HeaderTable = properties.headers ?? NO_HEADERS;
  const sentAt = headerNumber(headers[SENT_AT]);
  const ttl = ownTtl(raw);
  // A dead letter that an operator's tool has moved here begins anew, as after a redrive.
  const known = headers[DEAD_REASON] === undefined ? headers : NO_HEADERS;
  const earlier = earlierDeliveries(raw, headers);
  const attempt = (headerNumber(known[ATTEMPT]) ?? 0) + earlier + 1;
  const failures = readFailures(known[FAILURES]);
  const { payload, fault } = decodePayload(raw.content, properties.contentType);
  return {
    message: {
      messageId: messageIdOf(raw),
      queue,
      payload,
      headers: visibleHeaders(headers, sentAt === undefined),
      correlationId: textOrNull(properties.correlationId),
      timestamp: sentAt ?? propertyTime(properties.timestamp) ?? receivedAt,
      attempt,
      redelivered: attempt > 1,
    },
    queue,
    attempt,
    uncounted: earlier > 0 && headers[DELIVERY_COUNT] === undefined,
    expiresAt: expiryOf(headerNumber(known[EXPIRES_AT]), sentAt, expirationMs(properties.expiration), receivedAt),
    ttl,
    failures,
    failureCount: headerNumber(known[FAILED]) ?? failures.length,
    fault,
    raw,
  };
}

/** The id of a message, or a random one. */
export function messageIdOf({ properties: { messageId } }: RawMessage): string {
  return textOrNull(messageId) ?? randomUUID();
}

/** Own time to live of a message in ms: what the hub noted, or its expiration. */
export function ownTtl({ properties: { headers, expiration } }: RawMessage): number | null {
  return headerNumber(headers?.[TTL]) ?? expirationMs(expiration);
}

/** `value` when it is a text that is not empty. */
export function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** An AMQP expiration in ms. */
export function expirationMs(expiration: unknown): number | null {
  if (typeof expiration !== 'string' || expiration === '') return null;
  return headerNumber(Number(expiration)) ?? null;
}

/** The timestamp property in ms: AMQP means seconds, but some clients write ms, which no date in seconds reaches. */
export function propertyTime(timestamp: unknown): number | undefined {
  const time = headerNumber(timestamp);
  return time === undefined || time > 1e11 ? time : time * 1000;
}

/** When a message expires: as noted, or by the expiration that the broker watches, counted from its sending. */
function expiryOf(
  noted: number | undefined,
  sentAt: number | undefined,
  expiration: number | null,
  receivedAt: number,
): number | null {
  if (expiration === null) return noted ?? null;
  const expiry = noted ?? (sentAt ?? receivedAt) + expiration;
  // The broker would not have delivered it too late: then the sender's clock is another one.
  return expiry > receivedAt ? expiry : receivedAt + expiration;
}

function earlierDeliveries({ fields }: RawMessage, headers: HeaderTable): number {
  // Without the flag a count is another queue's, which a tool has carried over.
  if (!fields.redelivered) return 0;
  return Math.max(1, headerNumber(headers[DELIVERY_COUNT]) ?? 1);
}

function readFailures(text: unknown): readonly Failure[] {
  if (typeof text !== 'string') return NO_FAILURES;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? (list as Failure[]) : NO_FAILURES;
  } catch {
    return NO_FAILURES;
  }
}
