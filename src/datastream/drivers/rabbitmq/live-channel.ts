import type { ConfirmChannel, Message as AmqpMessage } from 'amqplib';
import { faultText } from '../../../amqp/amqp.errors.js';

/**
 * A channel that delivers, and what of it is in hand. A delivery can be settled only on the channel that delivered it: on
 * another one its tag would settle somebody else's delivery, or close that channel.
 */
export class LiveChannel {
  #open = true;
  #inHand = 0;
  #moves = 0;
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
    return this.#open;
  }

  /** Why the broker has closed it; `undefined` when it has not, or the connection went. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Deliveries that are not settled. */
  get inHand(): number {
    return this.#open ? this.#inHand : 0;
  }

  /** How often a message came or was settled. */
  get moves(): number {
    return this.#moves;
  }

  /** Counts a delivery. */
  took(): void {
    this.#moves += 1;
    this.#inHand += 1;
  }

  /** Removes a message from the queue; `false` when the channel is gone, so that it will be delivered again. */
  ack(message: AmqpMessage): boolean {
    return this.#settle((channel) => channel.ack(message));
  }

  /** Gives a message back to the queue; `false` when the channel is gone, which has given it back already. */
  giveBack(message: AmqpMessage): boolean {
    return this.#settle((channel) => channel.nack(message, false, true));
  }

  /** Has the broker make a dead letter of a message; `false` when the channel is gone. */
  discard(message: AmqpMessage): boolean {
    return this.#settle((channel) => channel.nack(message, false, false));
  }

  /** Closes it as soon as nothing is in hand. */
  retire(): void {
    this.#retired = true;
    if (this.#inHand === 0) void this.close();
  }

  /** Closes it, after what was settled has reached the broker. What is in hand goes back to the queue. Never throws. */
  async close(): Promise<void> {
    if (!this.#open) return;
    this.#ended();
    await this.channel.close().catch(() => undefined);
  }

  #settle(send: (channel: ConfirmChannel) => void): boolean {
    if (!this.#open) return false;
    try {
      send(this.channel);
    } catch {
      // It closes at this moment, and says so a little later.
      return false;
    }
    this.#moves += 1;
    this.#inHand -= 1;
    if (this.#retired && this.#inHand === 0) void this.close();
    return true;
  }

  #ended(): void {
    if (!this.#open) return;
    this.#open = false;
    this.onClosed(this);
  }
}
