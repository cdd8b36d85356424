import type { JsonObject, JsonValue } from '../core/json.js';
import type { RetryPolicy } from '../core/retry.js';
import type { StandardSchemaV1 } from '../core/standard-schema.js';
import type { DELIVERY_OBSERVER, DeliveryObserver } from './delivery-observer.js';

/** What a message can carry: any JSON value, or bytes. Text is a JSON string. */
export type Payload = JsonValue | Uint8Array;

/** Options of `createQueue`. */
export interface QueueOptions {
  /** Most ready messages that the queue holds; a send beyond that is rejected with `CONFLICT`. Default: no limit. */
  maxLength?: number;
  /** Time to live of its messages in ms; expired ones become dead letters with reason `expired`. Default: for ever. */
  messageTtl?: number;
  /** How often a message is delivered at most before it becomes a dead letter with reason `delivery-limit`. Default 20. */
  deliveryLimit?: number;
}

/** Facts about a queue. */
export interface QueueInfo {
  name: string;
  /** Messages that can be delivered now. */
  ready: number;
  /** Messages delivered and not settled. */
  unacked: number;
  /** Messages that wait for a delayed retry. */
  delayed: number;
  /** Messages in its dead letter queue. */
  deadLetters: number;
  /** Open subscriptions. */
  consumers: number;
}

/** Options of `sendData`. */
export interface SendOptions {
  /** Identity of the message, so that a consumer can see duplicates. Default: a random UUID. Not deduplicated. */
  messageId?: string;
  /** Free JSON headers. Names that begin with `x-hub-` are the hub's. */
  headers?: JsonObject;
  correlationId?: string;
  /** Time to live in ms; then it becomes a dead letter with reason `expired`. Default: the queue's. */
  expiration?: number;
  /** 0 to 9, higher first. Only with `supports.priority`, otherwise `UNSUPPORTED`. Default 0. */
  priority?: number;
  /** Gives up waiting; whether the message was sent is then unknown. */
  signal?: AbortSignal;
}

/** One message of `sendBatch`. */
export interface OutgoingMessage extends Omit<SendOptions, 'signal'> {
  payload: Payload;
}

/** A message that was received. */
export interface Message<T = Payload> {
  messageId: string;
  queue: string;
  payload: T;
  headers: JsonObject;
  correlationId: string | null;
  /** When it was sent, ms since 1970. */
  timestamp: number;
  /** How often it has been delivered, this time included. */
  attempt: number;
  /** Whether it has been delivered before. */
  redelivered: boolean;
}

/**
 * A message in the caller's hands until it is settled. The first settlement counts and later ones have no effect. When
 * the connection or lease that delivered it is gone, settling rejects with `DELIVERY_LOST`: the message comes again.
 */
export interface Delivery<T = Payload> extends Message<T> {
  /** Done: the message is removed. */
  ack(): Promise<void>;
  /** Not now: it goes back to the queue, after `delay` ms (default 0) when given. */
  requeue(options?: { delay?: number }): Promise<void>;
  /** Never: it becomes a dead letter with this reason. */
  reject(reason?: string): Promise<void>;
}

/** Options of `pullData`. */
export interface PullOptions {
  /** How long to wait for a message, in ms. Default 0: answer at once. */
  wait?: number;
  /** `manual` (default): the caller settles. `auto`: settled as it is handed over; a crash after that loses it. */
  ack?: 'manual' | 'auto';
  signal?: AbortSignal;
}

/** Options of `pullBatch`. */
export interface PullBatchOptions extends PullOptions {
  /** Most messages to return; with `wait`, it returns as soon as there is at least one. */
  max: number;
}

/** Options of `subscribe` and `@OnData`. */
export interface SubscribeOptions {
  /** Most deliveries held unsettled by this subscription. Default: twice the concurrency. */
  prefetch?: number;
  /** Handlers that run at the same time. Default 1, which also keeps the order of the queue. */
  concurrency?: number;
  /**
   * What happens when the handler throws: it is delivered again by this policy and then becomes a dead letter with
   * reason `failed`. A retry takes its turn after its delay, so it gives up its place in the order. Default: 1 attempt.
   * A `RejectMessage` makes it a dead letter at once.
   */
  retry?: RetryPolicy;
  /**
   * A Standard Schema (of Zod, Valibot, ArkType, Joi 18 and others) that payloads are validated by before the handler
   * gets them; it gets what the schema returns. A message that does not fit becomes a dead letter at once, with reason
   * `rejected` and path and message of the issues (at most 500 characters) as `detail`; of a batch only that one. A
   * schema that throws counts as a handler that throws. Default: none.
   */
  schema?: StandardSchemaV1;
  /** Name in logs and health. Default: the queue's. */
  name?: string;
  /** @internal */
  [DELIVERY_OBSERVER]?: DeliveryObserver;
}

/** Options of `subscribeBatch`. */
export interface SubscribeBatchOptions extends Omit<SubscribeOptions, 'concurrency' | 'prefetch'> {
  /** Most messages in a batch. */
  size: number;
  /** Longest time in ms that the first message of a batch waits for the others. Default 1000. */
  maxWait?: number;
}

/**
 * Handles one message. It is acked when the promise resolves and retried or dead-lettered when it rejects; with a
 * `RejectMessage` it is a dead letter at once.
 */
export type DataHandler<T = Payload> = (message: Message<T>, context: DataContext) => Promise<void> | void;

/**
 * Handles a batch: acked as a whole when it resolves; when it rejects, each message is retried or dead-lettered. A
 * `RejectMessage` makes all of them dead letters at once, or those that it names.
 */
export type DataBatchHandler<T = Payload> = (messages: Message<T>[], context: DataContext) => Promise<void> | void;

/** What a handler gets beside the message. */
export interface DataContext {
  /** Fires when the shutdown deadline has passed; the message will be delivered again. */
  signal: AbortSignal;
}

/** A running consumer. */
export interface Subscription {
  readonly queue: string;
  readonly name: string;
  /** `running`, `paused`, or `closed`. */
  readonly state: 'running' | 'paused' | 'closed';
  /** Takes no further messages; those in the handler end. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Stops for good: waits for the handlers that run, and gives the other held messages back. */
  close(): Promise<void>;
}

/**
 * Why a message became a dead letter; `rejected` carries the consumer's own words in `detail`, or what its schema says.
 */
export type DeadLetterReason = 'rejected' | 'failed' | 'expired' | 'delivery-limit';

/** A message in a dead letter queue. */
export interface DeadLetter<T = Payload> extends Message<T> {
  reason: DeadLetterReason;
  /** Error message of the last failure, or the words given to `reject`. */
  detail: string;
  /** When it became a dead letter, ms since 1970. */
  deadAt: number;
}

/** What a DataStream driver can do. */
export interface DataStreamSupports {
  /** Message priorities. */
  readonly priority: boolean;
  /** What was acknowledged survives a restart of the process. */
  readonly durable: boolean;
}
