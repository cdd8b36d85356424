import type { ConfirmChannel, Message as AmqpMessage } from 'amqplib';
import { faultText } from '../../../amqp/amqp.errors.js';

/**
 * A channel that delivers, and what of it is in hand. A delivery can be settled only on the channel that delivered it: on
 * another one its tag would settle somebody else's delivery, or close that channel.
 */
export class LiveChannel {
  readonly #gone = new AbortController();
  /** Tags of the deliveries that nobody has settled, ascending as the broker counts them. */
  readonly #unsettled = new Set<number>();
  /** Tags of those that are done with, and of which the broker is told after this turn of the event loop. */
  #done: number[] = [];
  #moves = 0;
  #outlived = 0;
  #retired = false;
  #fault: string | undefined;

  /** @param onClosed called once, when it can settle nothing any more */
  constructor(
    readonly channel: ConfirmChannel,
    readonly queue: string,
    private readonly onClosed: (live: LiveChannel) => void,
  ) {
    channel.on('error', (error: unknown) => (this.#fault = faultText(error)));
    channel.on('close', () => this.#ended());
  }

  /** Whether its deliveries can still be settled. */
  get open(): boolean {
    return !this.#gone.signal.aborted;
  }

  /** Fires when they cannot be settled any more: what is in hand is delivered again, and nobody needs to see to it. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Why the broker has closed it; `undefined` when it has not, or the connection went. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Deliveries that are not settled. */
  get inHand(): number {
    return this.open ? this.#unsettled.size + this.#done.length : 0;
  }

  /** How often a message came or was settled. */
  get moves(): number {
    return this.#moves;
  }

  /** Its first `count` deliveries have waited while this process was without the broker, and have not killed it. */
  outlive(count: number): void {
    this.#outlived = count;
  }

  /** Whether a delivery is one of those of {@link outlive}. */
  hasOutlived({ fields }: AmqpMessage): boolean {
    // The broker counts the deliveries of a channel from 1.
    return fields.deliveryTag <= this.#outlived;
  }

  /** Counts a delivery. */
  took({ fields }: AmqpMessage): void {
    this.#moves += 1;
    this.#unsettled.add(fields.deliveryTag);
  }

  /** Removes a message from the queue; `false` when the channel is gone, so that it will be delivered again. */
  ack(message: AmqpMessage): boolean {
    return this.#settle(message, (channel) => channel.ack(message));
  }

  /** As {@link ack}, together with others that are done with at this moment: one frame tells of many. */
  ackSoon({ fields }: AmqpMessage): void {
    if (!this.open || !this.#unsettled.delete(fields.deliveryTag)) return;
    if (this.#done.push(fields.deliveryTag) > 1) return;
    process.nextTick(() => {
      this.#flush();
      this.#closeIfUnused();
    });
  }

  /** Gives a message back to the queue; `false` when the channel is gone, which has given it back already. */
  giveBack(message: AmqpMessage): boolean {
    return this.#settle(message, (channel) => channel.nack(message, false, true));
  }

  /** Has the broker make a dead letter of a message; `false` when the channel is gone. */
  discard(message: AmqpMessage): boolean {
    return this.#settle(message, (channel) => channel.nack(message, false, false));
  }

  /** Closes it as soon as nothing is in hand. */
  retire(): void {
    this.#retired = true;
    this.#closeIfUnused();
  }

  /** Closes it, after what was settled has reached the broker. What is in hand goes back to the queue. Never throws. */
  async close(): Promise<void> {
    if (!this.open) return;
    this.#flush();
    this.#ended();
    await this.channel.close().catch(() => undefined);
  }

  #settle({ fields }: AmqpMessage, send: (channel: ConfirmChannel) => void): boolean {
    if (!this.open) return false;
    try {
      send(this.channel);
    } catch {
      // It closes at this moment, and says so a little later.
      return false;
    }
    this.#moves += 1;
    this.#unsettled.delete(fields.deliveryTag);
    this.#closeIfUnused();
    return true;
  }

  /** Acks what is done with: up to the oldest one that is not settled at once, the rest one by one. */
  #flush(): void {
    const done = this.#done;
    this.#done = [];
    if (!this.open || done.length === 0) return;
    const [oldest = Number.POSITIVE_INFINITY] = this.#unsettled;
    const last = done.reduce((latest, tag) => (tag < oldest ? Math.max(latest, tag) : latest), 0);
    try {
      if (last > 0) this.channel.ack(delivery(last), true);
      for (const tag of done) if (tag > last) this.channel.ack(delivery(tag));
    } catch {
      // It closes at this moment, and the messages come again.
      return;
    }
    this.#moves += done.length;
  }

  #closeIfUnused(): void {
    if (this.#retired && this.inHand === 0) void this.close();
  }

  #ended(): void {
    if (!this.open) return;
    this.#gone.abort(new Error('the channel of the delivery is gone'));
    this.onClosed(this);
  }
}

/** All that amqplib reads of a message to ack it. */
function delivery(deliveryTag: number): AmqpMessage {
  return { fields: { deliveryTag } } as AmqpMessage;
}
