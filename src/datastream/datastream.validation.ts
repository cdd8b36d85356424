import { randomUUID } from 'node:crypto';
import { HubError, type HubErrorOptions } from '../core/errors.js';
import { toJson, type JsonObject, type JsonValue } from '../core/json.js';
import type { OutgoingMessage, Payload, PullBatchOptions, QueueOptions } from './datastream.types.js';

/** Most bytes of one payload unless the driver's `maxPayloadBytes` says otherwise: 1 MiB. */
export const DEFAULT_MAX_PAYLOAD_BYTES = 1_048_576;

/** How often a message is delivered at most unless the queue's `deliveryLimit` says otherwise. */
export const DEFAULT_DELIVERY_LIMIT = 20;

/** Longest time to live, delay or wait in ms (2^32 - 1, about 49 days: the most that AMQP carries). */
export const MAX_DURATION_MS = 2 ** 32 - 1;

/** What a queue name is made of: 1 to 200 letters, digits and `_ - . : /`. */
export const QUEUE_NAME = /^[A-Za-z0-9_\-.:/]{1,200}$/;

/** End of the names that the hub keeps for dead letter queues. */
export const DEAD_LETTER_SUFFIX = '.dead';

/** Beginning of the headers that the hub keeps for itself. */
export const HUB_HEADER_PREFIX = 'x-hub-';

/** Longest message or correlation id in bytes of UTF-8 (a short string of AMQP). */
const MAX_ID_BYTES = 255;

/** {@link QueueOptions} with every field set; `null` is "no limit" and "for ever". */
export interface ResolvedQueueOptions {
  maxLength: number | null;
  /** In ms. */
  messageTtl: number | null;
  deliveryLimit: number;
}

/** A message that has been checked and serialised: what a driver stores or publishes. */
export interface SealedMessage {
  messageId: string;
  /** `json`: `body` is JSON text. `bytes`: `body` is the caller's bytes, copied. */
  encoding: 'json' | 'bytes';
  body: string | Uint8Array;
  /** JSON text of an object. */
  headers: string;
  correlationId: string | null;
  /** Its own time to live in ms; `null`: the queue's. */
  ttl: number | null;
  priority: number;
}

/** What {@link sealMessage} needs to know of the driver. */
export interface SealRules {
  maxPayloadBytes: number;
  /** Whether the driver knows priorities. */
  priority: boolean;
  source: HubErrorOptions;
}

/**
 * What `sendData(queue, payload, options)` sends. The payload comes first: V8 looks up every field by its name in a copy that
 * one was added to, which is 3 µs a message.
 */
export function outgoingMessage(payload: Payload, options: Omit<OutgoingMessage, 'payload'>): OutgoingMessage {
  const message = { payload, ...options };
  // Whatever options without a type say.
  message.payload = payload;
  return message;
}

/**
 * Checks the name of a queue: 1 to 200 characters of letters, digits and `_ - . : /`, not ending in `.dead`.
 * Throws `INVALID_ARGUMENT`.
 */
export function checkQueueName(name: unknown, source: HubErrorOptions): asserts name is string {
  if (typeof name !== 'string' || !QUEUE_NAME.test(name)) {
    throw invalid(
      `a queue name has to be 1 to 200 letters, digits and _ - . : /, not ${JSON.stringify(name)}.`,
      source,
    );
  }
  if (name.endsWith(DEAD_LETTER_SUFFIX)) {
    throw invalid(
      `${JSON.stringify(name)} ends in "${DEAD_LETTER_SUFFIX}", which is kept for dead letters. Choose another name; ` +
        'dead letters are read with peekDeadLetters.',
      source,
    );
  }
}

/** Checks the options of `createQueue` and fills in the defaults. Throws `INVALID_ARGUMENT`. */
export function resolveQueueOptions(options: QueueOptions, source: HubErrorOptions): ResolvedQueueOptions {
  const { maxLength, messageTtl, deliveryLimit } = options;
  return {
    maxLength: maxLength === undefined ? null : checkInteger(maxLength, 'maxLength', 1, source),
    messageTtl: messageTtl === undefined ? null : checkDuration(messageTtl, 'messageTtl', 1, source),
    deliveryLimit:
      deliveryLimit === undefined ? DEFAULT_DELIVERY_LIMIT : checkInteger(deliveryLimit, 'deliveryLimit', 1, source),
  };
}

/** Names of the options in which two declarations of a queue differ. */
export function differingQueueOptions(
  a: ResolvedQueueOptions,
  b: ResolvedQueueOptions,
): (keyof ResolvedQueueOptions)[] {
  return (['maxLength', 'messageTtl', 'deliveryLimit'] as const).filter((key) => a[key] !== b[key]);
}

/**
 * Checks and serialises one message.
 * Throws `PAYLOAD_INVALID` (payload or headers that JSON cannot carry, or too large), `INVALID_ARGUMENT` (ids, headers,
 * expiration, priority), and `UNSUPPORTED` for a priority where the driver has none.
 */
export function sealMessage(message: OutgoingMessage, rules: SealRules): SealedMessage {
  const { source } = rules;
  const { payload, messageId, headers, correlationId, expiration, priority } = message;
  if (priority !== undefined && !rules.priority) {
    throw new HubError('UNSUPPORTED', 'this driver has no message priorities (supports.priority is false).', source);
  }
  const { encoding, body } = sealPayload(payload, rules);
  return {
    messageId: messageId === undefined ? randomUUID() : checkId(messageId, 'messageId', source),
    encoding,
    body,
    headers: sealHeaders(headers, source),
    correlationId: correlationId === undefined ? null : checkId(correlationId, 'correlationId', source),
    ttl: expiration === undefined ? null : checkDuration(expiration, 'expiration', 1, source),
    priority: priority === undefined ? 0 : checkInteger(priority, 'priority', 0, source, 9),
  };
}

/** The payload behind a {@link SealedMessage}. */
export function openPayload(encoding: 'json' | 'bytes', body: string | Uint8Array): Payload {
  // A copy, and no Buffer: small Buffers share their memory with others.
  if (encoding === 'bytes') return typeof body === 'string' ? new TextEncoder().encode(body) : new Uint8Array(body);
  return JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString('utf8')) as JsonValue;
}

/** {@link PullBatchOptions} with the defaults filled in. Throws `INVALID_ARGUMENT`. */
export function resolvePull(
  options: PullBatchOptions,
  source: HubErrorOptions,
): { max: number; wait: number; auto: boolean } {
  const { max, wait = 0, ack = 'manual' } = options;
  if (!['manual', 'auto'].includes(ack)) {
    throw invalid(`ack has to be "manual" or "auto", not ${JSON.stringify(ack)}.`, source);
  }
  return {
    max: checkInteger(max, 'max', 1, source),
    wait: checkDuration(wait, 'wait', 0, source),
    auto: ack === 'auto',
  };
}

/** `value` when it is an integer from `least` to `most`; otherwise throws `INVALID_ARGUMENT` naming it. */
export function checkInteger(
  value: unknown,
  what: string,
  least: number,
  source: HubErrorOptions,
  most = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw invalid(`${what} has to be an integer ${range}, not ${String(value)}.`, source);
}

/** `value` when it is a number of ms from `least` to {@link MAX_DURATION_MS}, rounded up; else `INVALID_ARGUMENT`. */
export function checkDuration(value: unknown, what: string, least: number, source: HubErrorOptions): number {
  if (typeof value === 'number' && value >= least && value <= MAX_DURATION_MS) return Math.ceil(value);
  throw invalid(`${what} has to be a number of ms from ${least} to ${MAX_DURATION_MS}, not ${String(value)}.`, source);
}

function sealPayload(
  payload: unknown,
  { maxPayloadBytes, source }: SealRules,
): Pick<SealedMessage, 'encoding' | 'body'> {
  // Copied: the caller may change the bytes before they are written.
  const sealed =
    payload instanceof Uint8Array
      ? { encoding: 'bytes' as const, body: Buffer.from(payload) }
      : { encoding: 'json' as const, body: toJson(payload, 'the payload', source) };
  const bytes = Buffer.byteLength(sealed.body);
  if (bytes <= maxPayloadBytes) return sealed;
  throw new HubError(
    'PAYLOAD_INVALID',
    `the payload has ${bytes} bytes, more than the ${maxPayloadBytes} of maxPayloadBytes. Raise that option, or store ` +
      'the data elsewhere (an artifact) and send its address.',
    { ...source, details: { ...source.details, bytes, maxPayloadBytes } },
  );
}

function sealHeaders(headers: JsonObject | undefined, source: HubErrorOptions): string {
  if (headers === undefined) return '{}';
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw invalid('headers have to be an object.', source);
  }
  const reserved = Object.keys(headers).find((key) => key.toLowerCase().startsWith(HUB_HEADER_PREFIX));
  if (reserved !== undefined) {
    throw invalid(
      `the header ${JSON.stringify(reserved)} begins with "${HUB_HEADER_PREFIX}", which is the hub's.`,
      source,
    );
  }
  return toJson(headers, 'the headers', source);
}

function checkId(value: unknown, what: string, source: HubErrorOptions): string {
  if (typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= MAX_ID_BYTES) return value;
  throw invalid(`${what} has to be a text of 1 to ${MAX_ID_BYTES} bytes.`, source);
}

function invalid(message: string, source: HubErrorOptions): HubError {
  return new HubError('INVALID_ARGUMENT', message, source);
}
