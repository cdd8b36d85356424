import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { DeadLetterReason, Message } from '../../datastream.types.js';
import { encodableTable, tableBytes } from './header-table.js';
import {
  ATTEMPT,
  DEAD_AT,
  DEAD_DETAIL,
  DEAD_REASON,
  EXPIRES_AT,
  FAILED,
  FAILURES,
  headerNumber,
  isBrokerHeader,
  isHubHeader,
  isRoutingHeader,
  MAX_TABLE_BYTES,
  SENT_AT,
  TTL,
  type HeaderTable,
} from './hub-headers.js';
import { messageIdOf, type Failure, type RawMessage, type ReceivedMessage } from './message-decoder.js';
import type { EncodedMessage } from './message-encoder.js';

/** Why a message is published again; `now` is ms since 1970, `failure` the error message of a handler that failed. */
export type Republication =
  /** To its queue, or (`delayed`) to a delay queue of it; the delivery is counted. */
  | { kind: 'retry'; delayed: boolean; failure?: string | undefined; now: number }
  /** To its queue, because the broker has not counted an earlier delivery; this one does not count. */
  | { kind: 'count'; now: number }
  /** To its dead letter queue; with `unseen` no consumer has got this delivery, and it does not count. */
  | {
      kind: 'bury';
      reason: DeadLetterReason;
      detail: string;
      failure?: string | undefined;
      unseen?: boolean;
      now: number;
    };

/** Most failures that a message carries with it. */
const MAX_FAILURES = 10;

/** Longest text of one of them, in characters. */
const MAX_FAILURE_CHARS = 200;

/** Longest text of all of them, in characters: what fits beside the sender's headers. */
const MAX_FAILURES_CHARS = 8_192;

/** Longest words about a dead letter, in characters. */
const MAX_DETAIL_CHARS = 2_000;

/**
 * A received message in the form in which it is published again: the same message, with the hub's headers brought up to
 * date and the broker's taken off. Throws `PAYLOAD_INVALID` for headers of another client that are larger than amqplib
 * can encode (about 64 KiB); such a message can only be given back or rejected to the broker.
 */
export function republished(
  received: ReceivedMessage,
  change: Republication,
  source: HubErrorOptions = {},
): EncodedMessage {
  const { raw, attempt, message, ttl, expiresAt } = received;
  const headers = carriedHeaders(raw);
  const uncounted = change.kind === 'count' || (change.kind === 'bury' && change.unseen === true);
  const delivered = uncounted ? attempt - 1 : attempt;
  if (delivered > 0) headers[ATTEMPT] = delivered;
  if (ttl !== null) headers[TTL] = ttl;
  const failure = change.kind === 'count' ? undefined : change.failure;
  addFailures(headers, received, failure === undefined ? undefined : { attempt, at: change.now, detail: failure });
  if (change.kind === 'bury') {
    headers[DEAD_REASON] = change.reason;
    headers[DEAD_DETAIL] = change.detail.slice(0, MAX_DETAIL_CHARS);
    headers[DEAD_AT] = change.now;
    return encode(raw, message, headers, undefined, source);
  }
  if (expiresAt !== null) headers[EXPIRES_AT] = expiresAt;
  // In a delay queue the message would expire from there into its own queue, long before the delay is over.
  const parked = change.kind === 'retry' && change.delayed;
  const left = expiresAt === null || parked ? undefined : Math.max(1, Math.ceil(expiresAt - change.now));
  return encode(raw, message, headers, left, source);
}

/**
 * A dead letter in the form in which it goes back to its queue: attempts, failures and reasons are gone, and its own
 * time to live begins again.
 * @param now ms since 1970
 */
export function redriven(
  raw: RawMessage,
  ttl: number | null,
  now: number,
  source: HubErrorOptions = {},
): EncodedMessage {
  const headers = carriedHeaders(raw);
  if (ttl !== null) {
    headers[TTL] = ttl;
    headers[EXPIRES_AT] = now + ttl;
  }
  return encode(raw, { messageId: messageIdOf(raw), timestamp: now }, headers, ttl ?? undefined, source);
}

/** The sender's own headers and the time of sending, ready to be encoded again. */
function carriedHeaders(raw: RawMessage): HeaderTable {
  const headers: HeaderTable = raw.properties.headers ?? {};
  const marked = headers[SENT_AT] === undefined;
  const carried = Object.keys(headers).filter(
    (name) => !isHubHeader(name) && !isBrokerHeader(name) && !isRoutingHeader(name),
  );
  const own = Object.fromEntries(carried.map((name) => [name, headers[name]]));
  // Only where it was: it also tells the hub's messages from those of other clients.
  return { ...encodableTable(own, marked), ...(marked ? {} : { [SENT_AT]: headers[SENT_AT] }) };
}

function addFailures(headers: HeaderTable, received: ReceivedMessage, failure: Failure | undefined): void {
  const count = received.failureCount + (failure === undefined ? 0 : 1);
  if (count === 0) return;
  const short = failure && { ...failure, detail: failure.detail.slice(0, MAX_FAILURE_CHARS) };
  const failures = [...received.failures, ...(short === undefined ? [] : [short])].slice(-MAX_FAILURES);
  while (JSON.stringify(failures).length > MAX_FAILURES_CHARS) failures.shift();
  headers[FAILED] = count;
  headers[FAILURES] = JSON.stringify(failures);
}

function encode(
  { content, properties }: RawMessage,
  { messageId, timestamp }: Pick<Message, 'messageId' | 'timestamp'>,
  headers: HeaderTable,
  expiration: number | undefined,
  source: HubErrorOptions,
): EncodedMessage {
  const bytes = tableBytes(headers);
  if (bytes > MAX_TABLE_BYTES) {
    throw new HubError(
      'PAYLOAD_INVALID',
      `the headers of message ${messageId} have ${bytes} bytes, more than the ${MAX_TABLE_BYTES} with which it could be ` +
        'published again.',
      { ...source, details: { ...source.details, bytes } },
    );
  }
  const { contentType, contentEncoding, priority, correlationId, replyTo, type, appId } = properties;
  return {
    content,
    // Without the user id: the broker refuses one that is not the publisher's own.
    properties: {
      contentType,
      contentEncoding,
      headers,
      deliveryMode: 2,
      mandatory: true,
      priority,
      correlationId,
      replyTo,
      expiration: expiration === undefined ? undefined : String(expiration),
      messageId,
      timestamp: headerNumber(properties.timestamp) ?? Math.floor(timestamp / 1000),
      type,
      appId,
    } as EncodedMessage['properties'],
  };
}
