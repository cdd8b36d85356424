import type { AmqpPublisher } from '../../../amqp/amqp.publisher.js';
import { errorMessage, HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import type { DeadLetterReason } from '../../datastream.types.js';
import { DEFAULT_DELIVERY_LIMIT } from '../../datastream.validation.js';
import type { LiveChannel } from './live-channel.js';
import type { ReceivedMessage } from './message-decoder.js';
import type { RabbitQueues } from './rabbit-queues.js';
import { republished, type Republication } from './republish.js';
import { deadQueue } from './topology.js';

/** A message and the channel on which it can be settled. */
export interface Held {
  received: ReceivedMessage;
  live: LiveChannel;
}

/**
 * Settles deliveries. What does not simply go away is published to where it has to go, confirmed, and only then acked, so
 * that it is in one of the two places at any time. Each call resolves to `false` when the channel of the delivery is gone:
 * then the message comes again. It rejects, and the message stays in hand, when the broker does not take the copy.
 */
export class Settlement {
  constructor(
    private readonly publisher: AmqpPublisher,
    private readonly queues: RabbitQueues,
    private readonly logger: StoreLogger,
    private readonly source: HubErrorOptions,
  ) {}

  /** The message is done with. */
  ack({ received, live }: Held): boolean {
    return live.ack(received.raw);
  }

  /** As {@link ack}; the broker is told of all that is done with at this moment at once. */
  ackSoon({ received, live }: Held): void {
    live.ackSoon(received.raw);
  }

  /** It was not worked on: it goes back to where it was. */
  giveBack({ received, live }: Held): boolean {
    return live.giveBack(received.raw);
  }

  /** Delivers it again after `delay` ms; at its delivery limit it becomes a dead letter. */
  async again(held: Held, delay: number, failure?: string): Promise<boolean> {
    const { received, live } = held;
    if (received.attempt >= this.limit(received.queue)) {
      return this.bury(held, 'delivery-limit', failure ?? '', failure);
    }
    const change: Republication = { kind: 'retry', delayed: delay > 0, failure, now: Date.now() };
    return this.#move(held, change, async (publish) => {
      if (delay > 0) {
        await this.#delay(received.queue, delay, publish);
        this.queues.parked(received.queue, delay);
        return live.ack(received.raw);
      }
      try {
        await publish(received.queue);
      } catch (error) {
        // A full queue takes no copy, but has a place for the original.
        if (HubError.is(error, 'CONFLICT')) return live.giveBack(received.raw);
        throw error;
      }
      return live.ack(received.raw);
    });
  }

  /** Makes it a dead letter. */
  bury(held: Held, reason: DeadLetterReason, detail: string, failure?: string): Promise<boolean> {
    return this.#bury(held, { kind: 'bury', reason, detail, failure, now: Date.now() });
  }

  /**
   * How to settle what no consumer may see: expired, undecodable, or delivered too often. `undefined` for a message to be
   * handed over.
   */
  unfit({ received }: Held): ((held: Held) => Promise<boolean>) | undefined {
    const { fault, expiresAt, attempt, queue } = received;
    if (fault !== undefined) return (held) => this.bury(held, 'rejected', fault);
    if (expiresAt !== null && expiresAt <= Date.now()) return (held) => this.#buryUnseen(held, 'expired');
    if (attempt > this.limit(queue)) return (held) => this.#buryUnseen(held, 'delivery-limit');
    return undefined;
  }

  /** Most deliveries of a message of `queue`. */
  limit(queue: string): number {
    return this.queues.known(queue)?.deliveryLimit ?? DEFAULT_DELIVERY_LIMIT;
  }

  /** Puts a message back at the end of its queue, with a delivery counted that the broker of a classic queue has not. */
  count(held: Held): Promise<boolean> {
    const { received, live } = held;
    return this.#move(held, { kind: 'count', now: Date.now() }, async (publish) => {
      await publish(received.queue);
      return live.ack(received.raw);
    });
  }

  async #delay(queue: string, delay: number, publish: (routingKey: string) => Promise<void>): Promise<void> {
    try {
      await publish(await this.queues.ensureDelayQueue(queue, delay));
    } catch (error) {
      if (!HubError.is(error, 'NOT_FOUND')) throw error;
      // Somebody has deleted it since it was declared.
      this.queues.forgetDelayQueues(queue);
      await publish(await this.queues.ensureDelayQueue(queue, delay));
    }
  }

  #buryUnseen(held: Held, reason: DeadLetterReason): Promise<boolean> {
    return this.#bury(held, { kind: 'bury', reason, detail: '', unseen: true, now: Date.now() });
  }

  #bury(held: Held, change: Extract<Republication, { kind: 'bury' }>): Promise<boolean> {
    const { received, live } = held;
    return this.#move(held, change, async (publish) => {
      await publish(deadQueue(received.queue));
      const attempt = change.unseen === true ? received.attempt - 1 : received.attempt;
      this.#tellBuried({ ...received, attempt }, change.detail === '' ? change.reason : change.detail);
      return live.ack(received.raw);
    });
  }

  /** Does `work`, which publishes the changed message and settles the original. */
  async #move(
    { received, live }: Held,
    change: Republication,
    work: (publish: (routingKey: string) => Promise<void>) => Promise<boolean>,
  ): Promise<boolean> {
    if (!live.open) return false;
    try {
      const { content, properties } = republished(received, change, this.source);
      return await work((routingKey) =>
        // Without its delivery the copy is of no use, and who waits for it would hold the place of other messages.
        this.publisher.publish({ exchange: '', routingKey, content, properties }, { signal: live.gone }),
      );
    } catch (error) {
      if (!live.open) return false;
      // Headers of another client that cannot be sent again: the broker moves it to the dead letters as it is.
      if (!HubError.is(error, 'PAYLOAD_INVALID')) throw error;
      this.#tellBuried(received, errorMessage(error));
      return live.discard(received.raw);
    }
  }

  #tellBuried({ queue, attempt, message: { messageId } }: ReceivedMessage, detail: string): void {
    this.logger.warn(`queue "${queue}": message ${messageId} became a dead letter at attempt ${attempt}: ${detail}`);
  }
}
