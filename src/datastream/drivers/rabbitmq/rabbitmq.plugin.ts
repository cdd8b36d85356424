import { throwIfAborted } from '../../../core/deadline.js';
import type { HubErrorOptions } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import type { Redactor } from '../../../core/redact.js';
import { validateOptions } from '../../../core/validate.js';
import { StoreLogger } from '../../../embedded/store-logger.js';
import { DataStreamPlugin } from '../../datastream.plugin.js';
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
} from '../../datastream.types.js';
import {
  checkInteger,
  checkQueueName,
  outgoingMessage,
  resolvePull,
  sealMessage,
  type SealedMessage,
} from '../../datastream.validation.js';
import { resolveSubscribe, resolveSubscribeBatch } from '../../subscribe.validation.js';
import { BatchSubscription } from './batch-subscription.js';
import { MessageSubscription } from './message-subscription.js';
import { RabbitDelivery } from './rabbit-delivery.js';
import type { RabbitSubscription } from './rabbit-subscription.js';
import { rabbitMQConnections } from './rabbitmq.connections.js';
import { streamHealth } from './rabbitmq.health.js';
import { rabbitmqSchema, type RabbitMQOptions, type RabbitMQPluginOptions } from './rabbitmq.options.js';
import { RabbitMQSession } from './rabbitmq.session.js';

/** DataStream on a RabbitMQ broker; see the README beside this file. */
export class RabbitMQPlugin extends DataStreamPlugin {
  override readonly driver: string = 'rabbitmq';
  override readonly supports: Readonly<DataStreamSupports>;
  readonly #options: RabbitMQOptions;
  readonly #logger = new StoreLogger('RabbitMQ');
  #session: RabbitMQSession | undefined;

  /** @param options what is left out gets its default; `CONFIG_INVALID` for a wrong value */
  constructor(options: RabbitMQPluginOptions = {}) {
    super();
    this.#options = validateOptions(rabbitmqSchema, options, { what: 'config', ...this.source() });
    this.supports = Object.freeze({ priority: this.#options.priorities, durable: true });
  }

  /** @internal */
  override hideSecrets(redactor: Redactor): void {
    super.hideSecrets(redactor);
    this.#logger.hide(redactor);
  }

  async createQueue(queue: string, options: QueueOptions = {}): Promise<QueueInfo> {
    const session = this.#open('createQueue');
    await session.queues.create(queue, options, this.source('createQueue'));
    return session.info(queue);
  }

  async deleteQueue(queue: string): Promise<void> {
    const session = this.#open('deleteQueue');
    checkQueueName(queue, this.source('deleteQueue'));
    await session.deleteQueue(queue);
  }

  async queueInfo(queue: string): Promise<QueueInfo> {
    const session = this.#open('queueInfo');
    checkQueueName(queue, this.source('queueInfo'));
    return session.info(queue);
  }

  async flushQueue(queue: string): Promise<number> {
    const session = this.#open('flushQueue');
    checkQueueName(queue, this.source('flushQueue'));
    return session.queues.flush(queue);
  }

  async sendData(queue: string, payload: Payload, options: SendOptions = {}): Promise<string> {
    const session = this.#open('sendData');
    const source = this.source('sendData');
    checkQueueName(queue, source);
    const sealed = this.#seal(outgoingMessage(payload, options), source);
    throwIfAborted(options.signal, source);
    await session.sender.send(queue, sealed, { signal: options.signal, source });
    return sealed.messageId;
  }

  async sendBatch(
    queue: string,
    messages: readonly OutgoingMessage[],
    options: { signal?: AbortSignal } = {},
  ): Promise<string[]> {
    const session = this.#open('sendBatch');
    const source = this.source('sendBatch');
    checkQueueName(queue, source);
    const sealed = messages.map((message, index) => this.#seal(message, { ...source, details: { sent: 0, index } }));
    throwIfAborted(options.signal, source);
    await session.sender.sendAll(queue, sealed, { signal: options.signal, source });
    return sealed.map(({ messageId }) => messageId);
  }

  /**
   * Sends a message to an exchange, for consumers outside the hub; the port has queues only. Resolves to its id when every
   * queue that it is routed to has it. `NOT_FOUND` when there is no such exchange, or nothing is bound for the routing key.
   * @param exchange `''` is the default exchange, whose routing keys are the names of queues
   */
  async publish(exchange: string, routingKey: string, payload: Payload, options: SendOptions = {}): Promise<string> {
    const session = this.#open('publish');
    const source = this.source('publish');
    for (const [name, what] of [
      [exchange, 'the exchange'],
      [routingKey, 'the routing key'],
    ] as const) {
      if (typeof name === 'string' && Buffer.byteLength(name) <= 255) continue;
      throw this.error('INVALID_ARGUMENT', 'publish', `${what} has to be a text of at most 255 bytes.`);
    }
    const sealed = this.#seal(outgoingMessage(payload, options), source);
    throwIfAborted(options.signal, source);
    await session.sender.publish(exchange, routingKey, sealed, { signal: options.signal, source });
    return sealed.messageId;
  }

  async pullData(queue: string, options: PullOptions = {}): Promise<Delivery | null> {
    const [delivery = null] = await this.#pull('pullData', queue, { ...options, max: 1 });
    return delivery;
  }

  async pullBatch(queue: string, options: PullBatchOptions): Promise<Delivery[]> {
    return this.#pull('pullBatch', queue, options);
  }

  async subscribe(queue: string, handler: DataHandler, options: SubscribeOptions = {}): Promise<Subscription> {
    const { prefetch } = this.#options;
    const given = prefetch === undefined ? options : { prefetch, ...options };
    return this.#consume('subscribe', queue, (session, source) => {
      return new MessageSubscription(session, queue, handler, resolveSubscribe(queue, handler, given, source));
    });
  }

  async subscribeBatch(
    queue: string,
    handler: DataBatchHandler,
    options: SubscribeBatchOptions,
  ): Promise<Subscription> {
    return this.#consume('subscribeBatch', queue, (session, source) => {
      return new BatchSubscription(session, queue, handler, resolveSubscribeBatch(queue, handler, options, source));
    });
  }

  async peekDeadLetters(queue: string, options: { max?: number } = {}): Promise<DeadLetter[]> {
    const session = this.#open('peekDeadLetters');
    const source = this.source('peekDeadLetters');
    checkQueueName(queue, source);
    return session.deadLetters.peek(queue, checkInteger(options.max ?? 100, 'max', 1, source));
  }

  async redriveDeadLetters(
    queue: string,
    options: { max?: number; messageIds?: readonly string[] } = {},
  ): Promise<number> {
    const session = this.#open('redriveDeadLetters');
    const source = this.source('redriveDeadLetters');
    checkQueueName(queue, source);
    const max = checkInteger(options.max ?? Number.MAX_SAFE_INTEGER, 'max', 1, source);
    const { messageIds } = options;
    return session.deadLetters.redrive(queue, messageIds === undefined ? { max } : { max, messageIds });
  }

  async purgeDeadLetters(queue: string): Promise<number> {
    const session = this.#open('purgeDeadLetters');
    checkQueueName(queue, this.source('purgeDeadLetters'));
    return session.deadLetters.purge(queue);
  }

  protected override async onInitialize(): Promise<void> {
    const connections = rabbitMQConnections(this.#options, this.#logger, this.source());
    this.#session = await RabbitMQSession.open(this.#options, connections, this.#logger, this.source());
  }

  protected override async onDrain(): Promise<void> {
    await this.#open('drain').drain();
  }

  protected override async onShutdown(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  protected override onHealthCheck(): Promise<JsonObject> {
    return streamHealth(this.#open('healthCheck'), this.#options, this.source('healthCheck'));
  }

  #seal(message: OutgoingMessage, source: HubErrorOptions): SealedMessage {
    const { maxPayloadBytes, priorities } = this.#options;
    return sealMessage(message, { maxPayloadBytes, priority: priorities, source });
  }

  async #pull(operation: string, queue: string, options: PullBatchOptions): Promise<RabbitDelivery[]> {
    const session = this.#open(operation);
    const source = this.source(operation);
    checkQueueName(queue, source);
    const { max, wait, auto } = resolvePull(options, source);
    const held = await session.puller(queue).pull({ max, wait, signal: options.signal, source });
    if (auto) for (const one of held) session.settlement.ack(one);
    return held.map((one) => new RabbitDelivery(one, session.settlement, source, auto));
  }

  async #consume(
    operation: string,
    queue: string,
    make: (session: RabbitMQSession, source: HubErrorOptions) => RabbitSubscription,
  ): Promise<RabbitSubscription> {
    const session = this.#open(operation);
    const source = this.source(operation);
    checkQueueName(queue, source);
    if (this.phase === 'draining') throw this.error('CLOSED', operation, 'the plugin drains and takes no consumers.');
    for (const known of session.subscriptions) if (known.over) session.subscriptions.delete(known);
    const subscription = make(session, source);
    session.subscriptions.add(subscription);
    await subscription.start();
    return subscription;
  }

  #open(operation: string): RabbitMQSession {
    this.ensureOpen(operation);
    if (this.#session === undefined) throw this.error('CLOSED', operation, 'the plugin is not open.');
    return this.#session;
  }
}
