import { HUB_HEADER_PREFIX } from '../../datastream.validation.js';

/** Headers of a message as amqplib takes and gives them. */
export type HeaderTable = Record<string, unknown>;

/** When the message was sent, ms since 1970. */
export const SENT_AT = `${HUB_HEADER_PREFIX}sent-at`;

/** Deliveries before this publication; left out when 0. */
export const ATTEMPT = `${HUB_HEADER_PREFIX}attempt`;

/** When the message expires, ms since 1970; on messages that were published again. */
export const EXPIRES_AT = `${HUB_HEADER_PREFIX}expires-at`;

/** Own time to live of the message in ms, so that a redrive can give it anew. */
export const TTL = `${HUB_HEADER_PREFIX}ttl`;

/** The last failures of its handlers, JSON text of a list. */
export const FAILURES = `${HUB_HEADER_PREFIX}failures`;

/** How many failures there were in all. */
export const FAILED = `${HUB_HEADER_PREFIX}failed`;

/** Why it is a dead letter. */
export const DEAD_REASON = `${HUB_HEADER_PREFIX}dead-reason`;

/** Words about that, at most 2000 characters. */
export const DEAD_DETAIL = `${HUB_HEADER_PREFIX}dead-detail`;

/** When it became a dead letter, ms since 1970. */
export const DEAD_AT = `${HUB_HEADER_PREFIX}dead-at`;

/** Deliveries that a quorum queue has counted before this one. */
export const DELIVERY_COUNT = 'x-delivery-count';

/** What happened to a message in the queues that it left by dead-lettering: a list, newest first. */
export const DEATHS = 'x-death';

/** Most bytes of a header name (a short string of AMQP). */
export const MAX_HEADER_NAME_BYTES = 255;

/** Most bytes of all headers as AMQP encodes them: amqplib encodes into a buffer of 64 KiB, and a frame is no larger. */
export const MAX_TABLE_BYTES = 65_000;

/** Most bytes of a sender's headers as AMQP encodes them: 48 KiB, which leaves room for the hub's own. */
export const MAX_USER_TABLE_BYTES = 49_152;

/** Whether a header is the hub's, which consumers do not see. */
export function isHubHeader(name: string): boolean {
  return name.startsWith(HUB_HEADER_PREFIX);
}

/** Whether a header is the broker's record of a message's way, which consumers do not see and senders cannot set. */
export function isBrokerHeader(name: string): boolean {
  return (
    name === DEATHS ||
    name === DELIVERY_COUNT ||
    name === 'x-acquired-count' ||
    name.startsWith('x-first-death-') ||
    name.startsWith('x-last-death-')
  );
}

/** Whether the broker reads a header as further routing keys: with one, a message goes to other queues as well. */
export function isRoutingHeader(name: string): boolean {
  return name === 'CC' || name === 'BCC';
}

/** `value` when it is a count or a time that a hub header can hold. */
export function headerNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}
