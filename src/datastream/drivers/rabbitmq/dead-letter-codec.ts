import type { HubErrorOptions } from '../../../core/errors.js';
import type { DeadLetter, DeadLetterReason } from '../../datastream.types.js';
import { deathIn } from './deaths.js';
import { visibleHeaders } from './foreign-headers.js';
import { ATTEMPT, DEAD_AT, DEAD_DETAIL, DEAD_REASON, headerNumber, SENT_AT, type HeaderTable } from './hub-headers.js';
import { messageIdOf, ownTtl, propertyTime, textOrNull, type RawMessage } from './message-decoder.js';
import type { EncodedMessage } from './message-encoder.js';
import { decodePayload } from './payload-decoder.js';
import { redriven } from './republish.js';

/** What is said of a dead letter when nobody gave words. */
const DETAILS: Record<DeadLetterReason, string> = {
  rejected: '',
  failed: '',
  expired: 'its time to live was over',
  'delivery-limit': 'delivered as often as the deliveryLimit of the queue allows, and never settled for good',
};

/** What the hub knows of the queue of a dead letter. */
export interface DeadLetterOrigin {
  queue: string;
  /** Its delivery limit, when this process has created it: what the broker buried had that many deliveries. */
  deliveryLimit?: number | undefined;
}

/**
 * Reads a message of a dead letter queue. A payload that cannot be read is shown as bytes. Deliveries of the dead letter
 * queue itself are not counted as attempts.
 * @param now ms since 1970, for what has no time of its own
 */
export function decodeDeadLetter(raw: RawMessage, origin: DeadLetterOrigin, now: number): DeadLetter {
  const { queue } = origin;
  const { properties } = raw;
  const headers: HeaderTable = properties.headers ?? {};
  const sentAt = headerNumber(headers[SENT_AT]);
  const timestamp = sentAt ?? propertyTime(properties.timestamp);
  const buried = reasonOf(headers[DEAD_REASON]);
  const death = buried === undefined ? deathIn(raw, queue) : undefined;
  const reason = buried ?? death?.reason ?? 'rejected';
  const deadAt = (buried === undefined ? death?.at : headerNumber(headers[DEAD_AT])) ?? now;
  const counted = headerNumber(headers[ATTEMPT]) ?? 0;
  const attempt = death?.reason === 'delivery-limit' ? counted + (origin.deliveryLimit ?? 1) : counted;
  return {
    messageId: messageIdOf(raw),
    queue,
    payload: decodePayload(raw.content, properties.contentType).payload,
    headers: visibleHeaders(headers, sentAt === undefined),
    correlationId: textOrNull(properties.correlationId),
    timestamp: timestamp ?? deadAt,
    attempt,
    redelivered: attempt > 1,
    reason,
    detail: textOrNull(buried === undefined ? undefined : headers[DEAD_DETAIL]) ?? DETAILS[reason],
    deadAt,
  };
}

/**
 * A dead letter of `queue` in the form in which it goes back there: attempts, failures and reasons are gone, and its own
 * time to live begins again. Throws `PAYLOAD_INVALID` for headers that are too large to be published.
 * @param now ms since 1970
 */
export function redriveOf(raw: RawMessage, queue: string, now: number, source: HubErrorOptions = {}): EncodedMessage {
  return redriven(raw, ownTtl(raw) ?? deathIn(raw, queue)?.ttl ?? null, now, source);
}

function reasonOf(value: unknown): DeadLetterReason | undefined {
  return typeof value === 'string' && Object.hasOwn(DETAILS, value) ? (value as DeadLetterReason) : undefined;
}
