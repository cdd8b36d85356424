import type { DeadLetterReason } from '../../datastream.types.js';
import { DEATHS, headerNumber } from './hub-headers.js';
import { expirationMs, type RawMessage } from './message-decoder.js';

/** What the broker noted when a message left a queue as a dead letter. */
export interface Death {
  reason: DeadLetterReason;
  /** ms since 1970, to the second. */
  at: number | undefined;
  /** The message's expiration in ms, which the broker has taken off. */
  ttl: number | null;
}

/** The broker's words for it. What it drops for want of room (`maxlen`) is a rejected one to the hub. */
const REASONS: Record<string, DeadLetterReason> = { expired: 'expired', delivery_limit: 'delivery-limit' };

/** The broker's note about the last time when the message left `queue`; `undefined` when there is none. */
export function deathIn({ properties: { headers } }: RawMessage, queue: string): Death | undefined {
  const deaths: unknown = headers?.[DEATHS];
  if (!Array.isArray(deaths)) return undefined;
  const entry = (deaths as unknown[]).find((death) => isEntry(death) && death['queue'] === queue);
  if (!isEntry(entry)) return undefined;
  const { time } = entry;
  const seconds = headerNumber(isEntry(time) ? time['value'] : time);
  return {
    reason: REASONS[String(entry['reason'])] ?? 'rejected',
    at: seconds === undefined ? undefined : seconds * 1000,
    ttl: expirationMs(entry['original-expiration']),
  };
}

function isEntry(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
