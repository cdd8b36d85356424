import type { JsonObject } from 'nestjs-experiment-hub';
import {
  DataStreamPlugin,
  type DataBatchHandler,
  type DataHandler,
  type DeadLetter,
  type Delivery,
  type OutgoingMessage,
  type Payload,
  type PullBatchOptions,
  type PullOptions,
  type QueueInfo,
  type QueueOptions,
  type SendOptions,
  type SubscribeBatchOptions,
  type SubscribeOptions,
  type Subscription,
} from 'nestjs-experiment-hub/datastream';
import {
  checkInteger,
  checkQueueName,
  differingQueueOptions,
  resolvePull,
  resolveQueueOptions,
  resolveSubscribe,
  resolveSubscribeBatch,
  sealMessage,
  throwIfAborted,
} from 'nestjs-experiment-hub/datastream/driver-kit';
import { memoryDelivery } from './memory-delivery.js';
import { MemoryQueue } from './memory-queue.js';
import { MemorySubscription } from './memory-subscription.js';
import type { MemoryOptions } from './memory.options.js';
import { untilReady } from './until-ready.js';

/** A DataStream of arrays and timers: everything goes with `shutdown()`. */
export class MemoryDataStreamPlugin extends DataStreamPlugin {
  override readonly driver = 'memory';
  override readonly supports = Object.freeze({ priority: false, durable: false });
  #queues = new Map<string, MemoryQueue>();
  readonly #subscriptions = new Set<MemorySubscription>();

  constructor(private readonly options: MemoryOptions) {
    super();
  }

  async createQueue(name: string, options: QueueOptions = {}): Promise<QueueInfo> {
    this.ensureOpen('createQueue');
    const source = this.source('createQueue');
    checkQueueName(name, source);
    const resolved = resolveQueueOptions(options, source);
    const existing = this.#queues.get(name);
    const differing = existing === undefined ? [] : differingQueueOptions(existing.options, resolved);
    if (differing.length > 0) {
      throw this.error(
        'CONFLICT',
        'createQueue',
        `the queue "${name}" exists with other values of ${differing.join(', ')}.`,
      );
    }
    if (existing === undefined) this.#queues.set(name, new MemoryQueue(name, resolved));
    return this.queueInfo(name);
  }

  async deleteQueue(name: string): Promise<void> {
    this.ensureOpen('deleteQueue');
    checkQueueName(name, this.source('deleteQueue'));
    for (const subscription of this.#subscriptions) if (subscription.queue === name) this.#forget(subscription);
    const queue = this.#queues.get(name);
    this.#queues.delete(name);
    queue?.close();
  }

  async queueInfo(name: string): Promise<QueueInfo> {
    const queue = this.#queue(name, 'queueInfo');
    const consumers = this.#open().filter((one) => one.queue === name);
    return { name, ...queue.counts(), consumers: consumers.length };
  }

  async flushQueue(name: string): Promise<number> {
    return this.#queue(name, 'flushQueue').flush();
  }

  async sendData(name: string, payload: Payload, options: SendOptions = {}): Promise<string> {
    const [id = ''] = await this.#send('sendData', name, [{ ...options, payload }], options.signal);
    return id;
  }

  async sendBatch(
    name: string,
    messages: readonly OutgoingMessage[],
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<string[]> {
    return this.#send('sendBatch', name, messages, signal);
  }

  async pullData(name: string, options: PullOptions = {}): Promise<Delivery | null> {
    const [delivery = null] = await this.#pull('pullData', name, { ...options, max: 1 });
    return delivery;
  }

  async pullBatch(name: string, options: PullBatchOptions): Promise<Delivery[]> {
    return this.#pull('pullBatch', name, options);
  }

  async subscribe(name: string, handler: DataHandler, options: SubscribeOptions = {}): Promise<Subscription> {
    const queue = this.#intake(name, 'subscribe');
    const plan = resolveSubscribe(name, handler, options, this.source('subscribe'));
    const concurrency = Math.min(plan.concurrency, plan.prefetch);
    return this.#consume(
      new MemorySubscription(queue, { ...plan, concurrency, size: 1, maxWait: 0 }, async ([message], context) => {
        if (message !== undefined) await handler(message, context);
      }),
    );
  }

  async subscribeBatch(name: string, handler: DataBatchHandler, options: SubscribeBatchOptions): Promise<Subscription> {
    const queue = this.#intake(name, 'subscribeBatch');
    const plan = resolveSubscribeBatch(name, handler, options, this.source('subscribeBatch'));
    return this.#consume(new MemorySubscription(queue, { ...plan, concurrency: 1 }, handler));
  }

  async peekDeadLetters(name: string, { max = 100 }: { max?: number } = {}): Promise<DeadLetter[]> {
    const queue = this.#queue(name, 'peekDeadLetters');
    return queue.deadLetters(checkInteger(max, 'max', 1, this.source('peekDeadLetters')));
  }

  async redriveDeadLetters(
    name: string,
    { max = Number.MAX_SAFE_INTEGER, messageIds }: { max?: number; messageIds?: readonly string[] } = {},
  ): Promise<number> {
    const queue = this.#queue(name, 'redriveDeadLetters');
    const entries = queue.redrivable(checkInteger(max, 'max', 1, this.source('redriveDeadLetters')), messageIds);
    if (!queue.fits(entries.length)) throw this.#full(queue, 'redriveDeadLetters');
    queue.redrive(entries);
    return entries.length;
  }

  async purgeDeadLetters(name: string): Promise<number> {
    return this.#queue(name, 'purgeDeadLetters').purge();
  }

  protected override async onInitialize(): Promise<void> {
    this.#queues = new Map();
  }

  protected override async onDrain(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.stop();
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
  }

  protected override async onShutdown(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.abandon();
    this.#subscriptions.clear();
    for (const queue of this.#queues.values()) queue.close();
  }

  protected override async onHealthCheck(): Promise<JsonObject> {
    return { queues: this.#queues.size, consumers: this.#open().length };
  }

  async #send(
    operation: string,
    name: string,
    messages: readonly OutgoingMessage[],
    signal: AbortSignal | undefined,
  ): Promise<string[]> {
    const queue = this.#queue(name, operation);
    const source = { ...this.source(operation), details: { sent: 0 } };
    const { maxPayloadBytes } = this.options;
    const sealed = messages.map((message) => sealMessage(message, { maxPayloadBytes, priority: false, source }));
    throwIfAborted(signal, source);
    if (!queue.fits(sealed.length)) throw this.#full(queue, operation);
    queue.add(sealed);
    return sealed.map(({ messageId }) => messageId);
  }

  async #pull(operation: string, name: string, options: PullBatchOptions): Promise<Delivery[]> {
    const source = this.source(operation);
    const first = this.#queue(name, operation);
    const { max, wait, auto } = resolvePull(options, source);
    const deadline = Date.now() + wait;
    for (;;) {
      throwIfAborted(options.signal, source);
      // Looked up again after each wait: the queue or the plugin may be gone by then.
      const queue = this.#queue(name, operation);
      const isOpen = (): boolean => this.#queues.get(name) === queue && !queue.closed;
      const entries = queue === first ? queue.take(max) : [];
      if (auto) for (const entry of entries) queue.ack(entry);
      if (entries.length > 0 || Date.now() >= deadline) {
        return entries.map((entry) => memoryDelivery(queue, entry, isOpen, source, auto));
      }
      await untilReady(queue, deadline, options.signal);
    }
  }

  #consume(subscription: MemorySubscription): Subscription {
    this.#subscriptions.add(subscription);
    return subscription;
  }

  #open(): MemorySubscription[] {
    return [...this.#subscriptions].filter(({ state }) => state !== 'closed');
  }

  #forget(subscription: MemorySubscription): void {
    subscription.abandon();
    this.#subscriptions.delete(subscription);
  }

  #queue(name: string, operation: string): MemoryQueue {
    this.ensureOpen(operation);
    checkQueueName(name, this.source(operation));
    const queue = this.#queues.get(name);
    if (queue !== undefined) return queue;
    throw this.error('NOT_FOUND', operation, `there is no queue "${name}". Create it with createQueue("${name}").`);
  }

  /** The queue for a new consumer; while the plugin drains there is none. */
  #intake(name: string, operation: string): MemoryQueue {
    const queue = this.#queue(name, operation);
    if (this.phase !== 'draining') return queue;
    throw this.error('CLOSED', operation, 'the plugin is shutting down and takes no new consumers.');
  }

  #full(queue: MemoryQueue, operation: string): Error {
    const message = `the queue "${queue.name}" is full: it holds at most ${queue.options.maxLength} ready messages.`;
    return this.error('CONFLICT', operation, message, { details: { sent: 0 } });
  }
}
