import type { JsonObject } from '../../../core/json.js';
import type { DeadLetter, DeadLetterReason, Message } from '../../datastream.types.js';
import { openPayload } from '../../datastream.validation.js';

/** A message as it was read from the store. */
export interface StoredMessage {
  seq: number;
  queue: string;
  /** How often it has been delivered. */
  attempt: number;
  /** How many of those deliveries ended because the consumer was closed. */
  spared: number;
  messageId: string;
  encoding: 'json' | 'bytes';
  body: string | Uint8Array;
  headers: string;
  correlationId: string | null;
  /** ms since 1970. */
  sentAt: number;
}

/** A dead letter as it was read from the store. */
export interface StoredDeadLetter extends StoredMessage {
  reason: DeadLetterReason;
  detail: string;
  /** ms since 1970. */
  deadAt: number;
}

/** Columns of {@link readMessage}, in its order. */
export const MESSAGE_COLUMNS = 'seq, attempt, spared, message_id, encoding, body, headers, correlation_id, sent_at';

/** Columns of {@link readDeadLetter}, in its order. */
export const DEAD_LETTER_COLUMNS = `${MESSAGE_COLUMNS}, reason, detail, dead_at`;

/** @param row the values of {@link MESSAGE_COLUMNS} */
export function readMessage(row: readonly unknown[], queue: string): StoredMessage {
  const [seq, attempt, spared, messageId, encoding, body, headers, correlationId, sentAt] = row as [
    number,
    number,
    number,
    string,
    'json' | 'bytes',
    string | Uint8Array | null,
    string,
    string | null,
    number,
  ];
  // SQLite bindings differ in how they give an empty blob back.
  const bytes = body ?? new Uint8Array();
  return { seq, queue, attempt, spared, messageId, encoding, body: bytes, headers, correlationId, sentAt };
}

/** @param row the values of {@link DEAD_LETTER_COLUMNS} */
export function readDeadLetter(row: readonly unknown[], queue: string): StoredDeadLetter {
  const [reason, detail, deadAt] = row.slice(9) as [DeadLetterReason, string, number];
  return { ...readMessage(row, queue), reason, detail, deadAt };
}

/** The message as its consumers see it. */
export function toMessage(stored: StoredMessage): Message {
  const { messageId, queue, encoding, body, headers, correlationId, sentAt, attempt } = stored;
  return {
    messageId,
    queue,
    payload: openPayload(encoding, body),
    headers: JSON.parse(headers) as JsonObject,
    correlationId,
    timestamp: sentAt,
    attempt,
    redelivered: attempt > 1,
  };
}

/** The dead letter as its readers see it. */
export function toDeadLetter(stored: StoredDeadLetter): DeadLetter {
  const { reason, detail, deadAt } = stored;
  return { ...toMessage(stored), reason, detail, deadAt };
}
