import type { ObservedCalls } from '../core/observed-calls.js';
import { HubPlugin } from '../core/plugin.js';
import type { StandardSchemaV1 } from '../core/standard-schema.js';
import { observeStream } from './datastream.telemetry.js';
import type {
  DataBatchHandler,
  DataHandler,
  DataStreamSupports,
  DeadLetter,
  Delivery,
  OutgoingMessage,
  Payload,
  PullBatchOptions,
  PullOptions,
  QueueInfo,
  QueueOptions,
  SendOptions,
  SubscribeBatchOptions,
  SubscribeOptions,
  Subscription,
} from './datastream.types.js';

declare module '../core/plugin-types.js' {
  interface PluginTypes {
    datastream: DataStreamPlugin;
  }
}

/**
 * Sends messages to named queues and receives them. The class is the injection token.
 *
 * Contract, beyond each method's own words:
 * - Delivery is at least once: a message goes away only when it is acked, and one that was delivered and not settled
 *   comes again with `redelivered: true` and `attempt` + 1. `messageId` lets a consumer see duplicates.
 * - Order is that of sending, per queue, and is kept only within one subscription of concurrency 1 without retries.
 * - A queue has to be created first; otherwise every call is `NOT_FOUND`.
 * - Queue names: 1 to 200 characters of letters, digits and `_ - . : /`; names that end in `.dead` are the hub's.
 * - A payload that JSON cannot carry, or that is larger than the driver's `maxPayloadBytes`, is `PAYLOAD_INVALID`.
 * - Before `initialize()` and after `shutdown()` every call is `CLOSED`.
 */
export abstract class DataStreamPlugin extends HubPlugin<DataStreamSupports> {
  override readonly pluginType = 'datastream';

  protected override onObserve(calls: ObservedCalls): void {
    observeStream(this, calls);
  }

  /** The same as `initialize()`. */
  async connect(): Promise<void> {
    await this.initialize();
  }

  /** Finishes what is in flight and closes: `drain()`, then `shutdown()`. */
  async disconnect(): Promise<void> {
    await this.drain();
    await this.shutdown();
  }

  /** Creates a queue and its dead letter queue. Idempotent; an existing one with other options is `CONFLICT`. */
  abstract createQueue(queue: string, options?: QueueOptions): Promise<QueueInfo>;
  /** Removes a queue with its messages and dead letters, and closes its subscriptions. A missing one has no effect. */
  abstract deleteQueue(queue: string): Promise<void>;
  /** Counts, at this moment. */
  abstract queueInfo(queue: string): Promise<QueueInfo>;
  /** Removes the ready messages and resolves to their number; unsettled and delayed ones stay. */
  abstract flushQueue(queue: string): Promise<number>;

  /** Sends one message and resolves to its id when the backend has it. `CONFLICT` when the queue is full. */
  abstract sendData(queue: string, payload: Payload, options?: SendOptions): Promise<string>;
  /**
   * Sends messages in order and resolves to their ids when the backend has them all. When it rejects, some may have been
   * sent; `details.sent` says how many are certain.
   */
  abstract sendBatch(
    queue: string,
    messages: readonly OutgoingMessage[],
    options?: { signal?: AbortSignal },
  ): Promise<string[]>;

  /** Takes the next message, or `null` when there is none within `wait`. */
  abstract pullData(queue: string, options?: PullOptions): Promise<Delivery | null>;
  /** Takes up to `max` messages; an empty array when there is none within `wait`. */
  abstract pullBatch(queue: string, options: PullBatchOptions): Promise<Delivery[]>;

  /** Like the other form, with the handler's type from the schema, which validates (and may transform) the payloads. */
  abstract subscribe<T>(
    queue: string,
    handler: DataHandler<T>,
    options: SubscribeOptions & { schema: StandardSchemaV1<unknown, T> },
  ): Promise<Subscription>;
  /** Starts a consumer. It lasts, also across reconnects, until it is closed or the plugin drains. */
  abstract subscribe(queue: string, handler: DataHandler, options?: SubscribeOptions): Promise<Subscription>;
  /** Like the other form, with the handler's type from the schema, which validates (and may transform) the payloads. */
  abstract subscribeBatch<T>(
    queue: string,
    handler: DataBatchHandler<T>,
    options: SubscribeBatchOptions & { schema: StandardSchemaV1<unknown, T> },
  ): Promise<Subscription>;
  /** Starts a consumer that gets batches by size and longest wait. */
  abstract subscribeBatch(
    queue: string,
    handler: DataBatchHandler,
    options: SubscribeBatchOptions,
  ): Promise<Subscription>;

  /** The oldest dead letters of a queue, without removing them. `max` defaults to 100. */
  abstract peekDeadLetters(queue: string, options?: { max?: number }): Promise<DeadLetter[]>;
  /**
   * Sends dead letters back to their queue as new deliveries (attempts start again) and resolves to their number: those
   * with the given ids, or the oldest `max` (default all).
   */
  abstract redriveDeadLetters(
    queue: string,
    options?: { max?: number; messageIds?: readonly string[] },
  ): Promise<number>;
  /** Removes all dead letters of a queue and resolves to their number. */
  abstract purgeDeadLetters(queue: string): Promise<number>;
}
