import { throwIfAborted } from '../../../core/deadline.js';
import type { JsonObject } from '../../../core/json.js';
import type { Redactor } from '../../../core/redact.js';
import { validateOptions } from '../../../core/validate.js';
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
} from '../../datastream.validation.js';
import { resolveSubscribe, resolveSubscribeBatch } from '../../subscribe.validation.js';
import { IN_MEMORY } from '../../../embedded/store.options.js';
import { storeFailure } from '../../../embedded/store-failure.js';
import { StoreLogger } from '../../../embedded/store-logger.js';
import { BatchSubscription } from './batch-subscription.js';
import { LocalDelivery } from './delivery.js';
import { queueFull, queueMissing } from './local.errors.js';
import { localDataStreamSchema, type LocalDataStreamOptions } from './local.options.js';
import type { LocalSubscription } from './local-subscription.js';
import { MessageSubscription } from './message-subscription.js';
import { untilReady } from './pull-wait.js';
import { declareQueue, findQueue } from './queues.js';
import { SendBuffer } from './send-buffer.js';
import { toDeadLetter } from './stored-message.js';
import { StreamEngine } from './stream-engine.js';
import type { StoredQueue } from './stream-store.js';

/** What is open between `initialize()` and `shutdown()`. */
interface Opened {
  engine: StreamEngine;
  sends: SendBuffer;
  subscriptions: Set<LocalSubscription>;
}

/** DataStream on a SQLite file of this process, `<dataDir>/stream.db`; see the README beside this file. */
export class LocalDataStreamPlugin extends DataStreamPlugin {
  override readonly driver: string = 'local';
  override readonly supports: Readonly<DataStreamSupports>;
  readonly #options: LocalDataStreamOptions;
  readonly #logger = new StoreLogger('LocalDataStream');
  #opened: Opened | undefined;

  /** @param options what is left out gets its default; `CONFIG_INVALID` for a wrong value */
  constructor(options: Partial<LocalDataStreamOptions> = {}) {
    super();
    this.#options = validateOptions(localDataStreamSchema, options, { what: 'config', ...this.source() });
    this.supports = Object.freeze({ priority: true, durable: this.#options.dataDir !== IN_MEMORY });
  }

  /** @internal */
  override hideSecrets(redactor: Redactor): void {
    super.hideSecrets(redactor);
    this.#logger.hide(redactor);
  }

  async createQueue(queue: string, options: QueueOptions = {}): Promise<QueueInfo> {
    return this.#run('createQueue', (opened) => {
      declareQueue(opened.engine, queue, options, this.source('createQueue'));
      return this.#info(opened, queue, 'createQueue');
    });
  }

  async deleteQueue(queue: string): Promise<void> {
    this.#run('deleteQueue', ({ engine, subscriptions }) => {
      checkQueueName(queue, this.source('deleteQueue'));
      const stored = engine.store.queue(queue);
      if (stored === undefined) return;
      engine.store.deleteQueue(stored);
      for (const subscription of subscriptions) if (subscription.queue === queue) subscription.stop();
      engine.wake(stored.id);
    });
  }

  async queueInfo(queue: string): Promise<QueueInfo> {
    return this.#run('queueInfo', (opened) => this.#info(opened, queue, 'queueInfo'));
  }

  async flushQueue(queue: string): Promise<number> {
    return this.#run('flushQueue', ({ engine }) => {
      const stored = findQueue(engine, queue, this.source('flushQueue'));
      engine.sweep();
      return engine.store.flush(stored);
    });
  }

  async sendData(queue: string, payload: Payload, options: SendOptions = {}): Promise<string> {
    const [messageId = ''] = await this.#send('sendData', queue, [outgoingMessage(payload, options)], options.signal);
    return messageId;
  }

  async sendBatch(
    queue: string,
    messages: readonly OutgoingMessage[],
    options: { signal?: AbortSignal } = {},
  ): Promise<string[]> {
    return this.#send('sendBatch', queue, messages, options.signal);
  }

  async pullData(queue: string, options: PullOptions = {}): Promise<Delivery | null> {
    const [delivery = null] = await this.#pull('pullData', queue, { ...options, max: 1 });
    return delivery;
  }

  async pullBatch(queue: string, options: PullBatchOptions): Promise<Delivery[]> {
    return this.#pull('pullBatch', queue, options);
  }

  async subscribe(queue: string, handler: DataHandler, options: SubscribeOptions = {}): Promise<Subscription> {
    return this.#consume('subscribe', queue, (engine, stored) => {
      const resolved = resolveSubscribe(queue, handler, options, this.source('subscribe'));
      return new MessageSubscription(engine, stored, handler, resolved);
    });
  }

  async subscribeBatch(
    queue: string,
    handler: DataBatchHandler,
    options: SubscribeBatchOptions,
  ): Promise<Subscription> {
    return this.#consume('subscribeBatch', queue, (engine, stored) => {
      const resolved = resolveSubscribeBatch(queue, handler, options, this.source('subscribeBatch'));
      return new BatchSubscription(engine, stored, handler, resolved);
    });
  }

  async peekDeadLetters(queue: string, options: { max?: number } = {}): Promise<DeadLetter[]> {
    return this.#run('peekDeadLetters', ({ engine }) => {
      const stored = findQueue(engine, queue, this.source('peekDeadLetters'));
      const max = checkInteger(options.max ?? 100, 'max', 1, this.source('peekDeadLetters'));
      engine.sweep();
      return engine.store.deadLetters(stored, max).map(toDeadLetter);
    });
  }

  async redriveDeadLetters(
    queue: string,
    options: { max?: number; messageIds?: readonly string[] } = {},
  ): Promise<number> {
    return this.#run('redriveDeadLetters', ({ engine }) => {
      const stored = findQueue(engine, queue, this.source('redriveDeadLetters'));
      const most = Number.MAX_SAFE_INTEGER;
      const max = checkInteger(options.max ?? most, 'max', 1, this.source('redriveDeadLetters'));
      engine.sweep();
      const found = engine.store.findDeadLetters(stored, max, options.messageIds);
      const { ready } = engine.store.counts(stored);
      if (stored.maxLength !== null && ready + found.length > stored.maxLength) {
        throw queueFull(stored, ready, this.source('redriveDeadLetters'));
      }
      engine.redrive(stored, found);
      return found.length;
    });
  }

  async purgeDeadLetters(queue: string): Promise<number> {
    return this.#run('purgeDeadLetters', ({ engine }) => {
      const stored = findQueue(engine, queue, this.source('purgeDeadLetters'));
      engine.sweep();
      return engine.store.purgeDeadLetters(stored);
    });
  }

  protected override async onInitialize(): Promise<void> {
    const engine = new StreamEngine(this.#options, this.#logger);
    try {
      for (const { name, ...options } of this.#options.queues)
        declareQueue(engine, name, options, this.source('initialize'));
    } catch (error) {
      engine.close();
      throw error;
    }
    const refusals = {
      full: (queue: StoredQueue, ready: number) => queueFull(queue, ready, this.source('sendData')),
      gone: (queue: StoredQueue) => queueMissing(queue.name, this.source('sendData')),
    };
    this.#opened = { engine, sends: new SendBuffer(engine, refusals), subscriptions: new Set() };
  }

  protected override async onDrain(): Promise<void> {
    const { subscriptions } = this.#open('drain');
    // All stop first: otherwise one would go on taking messages while another's handlers end.
    for (const subscription of subscriptions) subscription.stop();
    await Promise.all([...subscriptions].map((subscription) => subscription.close()));
  }

  protected override async onShutdown(): Promise<void> {
    const { engine, sends, subscriptions } = this.#open('shutdown');
    this.#opened = undefined;
    for (const subscription of subscriptions) subscription.abandon();
    sends.flush();
    engine.close();
  }

  protected override async onHealthCheck(): Promise<JsonObject> {
    const { engine, subscriptions } = this.#open('healthCheck');
    engine.sweep();
    const counts = engine.store.counts();
    const open = [...subscriptions].filter(({ state }) => state !== 'closed');
    const broken = open.find(({ fault }) => fault !== undefined);
    if (broken !== undefined) {
      throw this.error('UNAVAILABLE', 'healthCheck', `the subscription "${broken.name}" ${broken.fault ?? ''}.`);
    }
    return { path: engine.store.path, queues: engine.store.queues.length, ...counts, consumers: open.length };
  }

  async #send(
    operation: string,
    queue: string,
    messages: readonly OutgoingMessage[],
    signal: AbortSignal | undefined,
  ): Promise<string[]> {
    const { sends, stored } = this.#run(operation, ({ engine, sends }) => ({
      sends,
      stored: findQueue(engine, queue, this.source(operation)),
    }));
    const sealed = messages.map((message, index) => {
      const source = { ...this.source(operation), details: { sent: 0, index } };
      return sealMessage(message, { maxPayloadBytes: this.#options.maxPayloadBytes, priority: true, source });
    });
    throwIfAborted(signal, this.source(operation));
    try {
      await sends.send(stored, sealed);
    } catch (error) {
      throw storeFailure(error, this.source(operation));
    }
    return sealed.map(({ messageId }) => messageId);
  }

  async #pull(operation: string, queue: string, options: PullBatchOptions): Promise<LocalDelivery[]> {
    const source = this.source(operation);
    this.ensureOpen(operation);
    const { max, wait, auto } = resolvePull(options, source);
    const deadline = Date.now() + wait;
    for (;;) {
      throwIfAborted(options.signal, source);
      const { from, taken } = this.#run(operation, ({ engine }) => {
        const from = { engine, queue: findQueue(engine, queue, source), source };
        return { from, taken: engine.take(from.queue, max, auto).map((one) => new LocalDelivery(one, from, auto)) };
      });
      if (taken.length > 0 || Date.now() >= deadline) return taken;
      await untilReady(from.engine, from.queue, deadline, options.signal);
    }
  }

  #consume<S extends LocalSubscription>(
    operation: string,
    queue: string,
    start: (engine: StreamEngine, queue: StoredQueue) => S,
  ): S {
    return this.#run(operation, ({ engine, subscriptions }) => {
      const stored = findQueue(engine, queue, this.source(operation));
      if (this.phase === 'draining') throw this.error('CLOSED', operation, 'the plugin drains and takes no consumers.');
      for (const known of subscriptions) if (known.over) subscriptions.delete(known);
      const subscription = start(engine, stored);
      subscriptions.add(subscription);
      return subscription;
    });
  }

  #info({ engine, subscriptions }: Opened, queue: string, operation: string): QueueInfo {
    const stored = findQueue(engine, queue, this.source(operation));
    engine.sweep();
    const consumers = [...subscriptions].filter((one) => one.state !== 'closed' && one.queue === queue);
    return { name: queue, ...engine.store.counts(stored), consumers: consumers.length };
  }

  /** What is open, for the calls of the life, which come only while it is. */
  #open(operation: string): Opened {
    if (this.#opened === undefined) throw this.error('CLOSED', operation, 'the plugin is not open.');
    return this.#opened;
  }

  /** Runs `work` on the open store; what SQLite throws becomes a HubError. */
  #run<T>(operation: string, work: (opened: Opened) => T): T {
    this.ensureOpen(operation);
    try {
      return work(this.#open(operation));
    } catch (error) {
      throw storeFailure(error, this.source(operation));
    }
  }
}
