import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { amqpError } from '../../../amqp/amqp.errors.js';
import { AmqpPublisher } from '../../../amqp/amqp.publisher.js';
import { AmqpRpc } from '../../../amqp/amqp.rpc.js';
import { withDeadline } from '../../../core/deadline.js';
import { errorMessage, HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { RetryPolicy } from '../../../core/retry.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import type { ConsumerContext } from './consumer-context.js';
import type { QueueInfo } from '../../datastream.types.js';
import { LiveChannel } from './live-channel.js';
import { QueuePuller } from './queue-puller.js';
import { RabbitDeadLetters } from './rabbit-dead-letters.js';
import { RabbitQueues } from './rabbit-queues.js';
import { RabbitSender } from './rabbit-sender.js';
import type { RabbitSubscription } from './rabbit-subscription.js';
import type { RabbitMQConnections } from './rabbitmq.connections.js';
import { queueMissing } from './rabbitmq.errors.js';
import type { RabbitMQOptions } from './rabbitmq.options.js';
import { Settlement } from './settlement.js';

/** How long what was sent before a shutdown may take to be confirmed, in ms. */
const LAST_CONFIRMS_MS = 2_000;

/** How often a queue is looked at again that seems to be empty while messages move. */
const MOST_LOOKS = 20;

/** What is open between `initialize()` and `shutdown()`. */
export class RabbitMQSession implements ConsumerContext {
  readonly publisher: AmqpPublisher;
  readonly sender: RabbitSender;
  readonly queues: RabbitQueues;
  readonly deadLetters: RabbitDeadLetters;
  readonly settlement: Settlement;
  readonly subscriptions = new Set<RabbitSubscription>();
  readonly reconnect: RetryPolicy;
  readonly consumerTag: string;
  readonly rpc: AmqpRpc;
  readonly #pullers = new Map<string, QueuePuller>();
  readonly #channels = new Set<LiveChannel>();
  readonly #closing = new AbortController();
  #unlisten: (() => void) | undefined;

  private constructor(
    private readonly options: RabbitMQOptions,
    readonly connections: RabbitMQConnections,
    readonly logger: StoreLogger,
    private readonly source: HubErrorOptions,
  ) {
    const { publish, consume } = connections;
    this.publisher = new AmqpPublisher(publish, options, source);
    this.rpc = new AmqpRpc(consume, options.connectTimeout, source);
    this.queues = new RabbitQueues(this.rpc, options, source);
    this.sender = new RabbitSender(this.publisher, this.rpc, this.queues);
    this.deadLetters = new RabbitDeadLetters(consume, this.publisher, this.queues, source, options.connectTimeout);
    this.settlement = new Settlement(this.publisher, this.queues, logger, source);
    this.reconnect = options.reconnect;
    // Every pull that waits listens to it; Node warns from the eleventh listener on.
    setMaxListeners(0, this.#closing.signal);
    this.consumerTag = options.connectionName;
  }

  /** Connects and declares the configured topology. Leaves nothing open when it rejects. */
  static async open(
    options: RabbitMQOptions,
    connections: RabbitMQConnections,
    logger: StoreLogger,
    source: HubErrorOptions,
  ): Promise<RabbitMQSession> {
    const session = new RabbitMQSession(options, connections, logger, source);
    try {
      await Promise.all([connections.publish.open(), connections.consume.open()]);
      await session.queues.declareTopology(options);
    } catch (error) {
      await session.close();
      throw error;
    }
    session.#unlisten = connections.consume.listen({ up: () => void session.#declareAgain() });
    return session;
  }

  /** Facts about a queue; `consumers` of other processes are counted, too. */
  async info(queue: string): Promise<QueueInfo> {
    for (let look = 1; ; look += 1) {
      const [unacked, moves] = this.#inHand(queue);
      const counts = await this.queues.counts(queue);
      const [unackedNow, movesNow] = this.#inHand(queue);
      const info = { name: queue, ...counts, unacked: Math.max(unacked, unackedNow) };
      // A message that moved meanwhile may be in none of the counts, and a queue that is empty is what callers wait for.
      const empty = info.ready + info.unacked + info.delayed === 0;
      if (empty && moves !== movesNow && look < MOST_LOOKS) continue;
      const own = [...this.subscriptions].filter((one) => one.queue === queue && one.state === 'running').length;
      const ghosts = this.options.queueType === 'quorum' ? (this.#pullers.get(queue)?.ghosts ?? 0) : 0;
      return { ...info, consumers: Math.max(own, counts.consumers - ghosts) };
    }
  }

  /** Takes single messages from a queue. */
  puller(queue: string): QueuePuller {
    const known = this.#pullers.get(queue) ?? new QueuePuller(this, queue, this.#closing.signal);
    this.#pullers.set(queue, known);
    return known;
  }

  /** Deletes a queue with all that belongs to it. */
  async deleteQueue(queue: string): Promise<void> {
    const consumers = [...this.subscriptions].filter((subscription) => subscription.queue === queue);
    // Before: for a consumer that is cancelled while its queue goes, RabbitMQ 3.10 sends an answer too many, and amqplib
    // gives the connection up.
    await Promise.all(consumers.map((subscription) => subscription.cancel()));
    this.#pullers.get(queue)?.retire();
    this.#pullers.delete(queue);
    this.sender.forget(queue);
    await this.queues.delete(queue);
  }

  async openChannel(queue: string, onClosed: (live: LiveChannel) => void): Promise<LiveChannel> {
    const channel = await this.connections.consume.channel();
    const live = new LiveChannel(channel, queue, (closed) => {
      this.#channels.delete(closed);
      onClosed(closed);
    });
    this.#channels.add(live);
    return live;
  }

  async whenUp(signal: AbortSignal): Promise<void> {
    const { consume } = this.connections;
    while (!consume.up) {
      try {
        await consume.whenUp(60_000, signal);
      } catch (error) {
        if (signal.aborted || HubError.is(error, 'CLOSED')) throw error;
      }
    }
  }

  async restore(queue: string): Promise<void> {
    await this.queues.restore(queue);
    this.publisher.renew();
  }

  withinDeadline<T>(answer: PromiseLike<T>): Promise<T> {
    const { connectTimeout } = this.options;
    return withDeadline(
      answer,
      connectTimeout,
      () => new HubError('UNAVAILABLE', `the broker has not answered within ${connectTimeout} ms.`, this.source),
    );
  }

  explain(error: unknown, queue: string): Error {
    const explained = HubError.is(error) ? error : amqpError(error, this.source);
    return explained.code === 'NOT_FOUND' ? queueMissing(queue, this.source, error) : explained;
  }

  /** Stops consumers, waits for their handlers, and for the confirmation of what was sent. */
  async drain(): Promise<void> {
    // All stop first: otherwise one would go on taking messages while another's handlers end.
    for (const subscription of this.subscriptions) subscription.stop();
    await Promise.all([...this.subscriptions].map((subscription) => subscription.close()));
    await this.publisher.flush(this.options.publishTimeout);
  }

  /** Closes everything; what is in hand goes back to its queue. */
  async close(): Promise<void> {
    this.#unlisten?.();
    for (const subscription of this.subscriptions) subscription.abandon();
    this.#closing.abort(new HubError('CLOSED', 'the plugin has been shut down.', this.source));
    await this.publisher.flush(LAST_CONFIRMS_MS).catch((error: unknown) => {
      this.logger.warn(`not everything that was sent is confirmed: ${errorMessage(error)}`);
    });
    await this.publisher.close();
    // A channel that is closed in order has passed its last acks on; a broker that is away cannot be waited for.
    const closed = Promise.all([...this.#channels].map((live) => live.close()));
    await Promise.race([closed, delay(LAST_CONFIRMS_MS, undefined, { ref: false })]);
    await this.rpc.close();
    await Promise.all([this.connections.publish.close(), this.connections.consume.close()]);
  }

  /** Messages of a queue that are delivered here and not settled, and how many came or were settled so far. */
  #inHand(queue: string): [unacked: number, moves: number] {
    let [unacked, moves] = [0, 0];
    for (const live of this.#channels) {
      if (live.queue !== queue) continue;
      unacked += live.inHand;
      moves += live.moves;
    }
    return [unacked, moves];
  }

  /** A broker that comes back may have lost what was not durable, or all of its disk. */
  async #declareAgain(): Promise<void> {
    this.sender.forgetExchanges();
    try {
      await this.queues.declareAgain(this.options);
    } catch (error) {
      this.logger.warn(`the topology could not be declared again: ${errorMessage(error)}`);
    }
  }
}
