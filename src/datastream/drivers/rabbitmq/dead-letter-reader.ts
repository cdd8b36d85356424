import { setTimeout as delay } from 'node:timers/promises';
import type { ConfirmChannel, GetMessage } from 'amqplib';
import { amqpError } from '../../../amqp/amqp.errors.js';
import type { AmqpLink } from '../../../amqp/amqp.link.js';
import { withDeadline } from '../../../core/deadline.js';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import { deadQueue } from './topology.js';

/**
 * Most messages that are taken only to keep the order. A quorum queue delivers what was returned to it first, in the
 * order of the return: whoever returns some of those without the others puts them behind the others.
 */
const MAX_REORDERED = 10_000;

/** How long the returned messages may take to be counted as ready again, in ms, and how often that is looked at. */
const RETURN_MS = 1_000;
const RETURN_POLL_MS = 5;

/** Takes messages from a dead letter queue in order, on a channel of its own, and returns in order what is not acked. */
export class DeadLetterReader {
  #last: GetMessage | undefined;
  #acked = 0;
  #taken = 0;

  private constructor(
    private readonly channel: ConfirmChannel,
    private readonly queue: string,
    private readonly timeout: number,
    private readonly source: HubErrorOptions,
    /** Messages in the queue when the reader was opened. */
    readonly readyAtStart: number,
  ) {}

  /**
   * Opens one on the dead letters of `queue`. Rejects with `NOT_FOUND` when there is no such queue.
   * @param timeout most time of each answer of the broker in ms, else `UNAVAILABLE`
   */
  static async open(
    link: AmqpLink,
    queue: string,
    timeout: number,
    source: HubErrorOptions,
  ): Promise<DeadLetterReader> {
    const channel = await link.channel();
    try {
      const { messageCount } = await answer(channel.checkQueue(deadQueue(queue)), timeout, source);
      return new DeadLetterReader(channel, deadQueue(queue), timeout, source, messageCount);
    } catch (error) {
      void closed(channel, timeout);
      throw error;
    }
  }

  /** The next message; `undefined` when there is none. */
  async next(): Promise<GetMessage | undefined> {
    const message = await answer(this.channel.get(this.queue), this.timeout, this.source);
    if (message === false) {
      this.#last = undefined;
      return undefined;
    }
    this.#taken += 1;
    this.#last = message;
    return message;
  }

  /** Removes a message for good. Throws `UNAVAILABLE` when the channel is gone: then the message is still there. */
  ack(message: GetMessage): void {
    try {
      this.channel.ack(message);
    } catch (error) {
      throw amqpError(error, this.source);
    }
    this.#acked += 1;
  }

  /** Returns what is not acked and closes the channel. Never rejects: a channel that is gone has returned it all. */
  async close(): Promise<void> {
    try {
      if (this.#taken > this.#acked) await this.#return();
    } catch {
      // The broker returns what a closed channel held.
    }
    await closed(this.channel, this.timeout);
  }

  async #return(): Promise<void> {
    for (let extra = 0; extra < MAX_REORDERED && this.#last?.fields.redelivered === true; extra += 1) await this.next();
    const expected = (this.#last?.fields.messageCount ?? 0) + this.#taken - this.#acked;
    this.channel.nackAll(true);
    // The broker returns them a little later, and whoever asks for the counts should not see fewer.
    for (const end = Date.now() + RETURN_MS; Date.now() < end; await delay(RETURN_POLL_MS)) {
      const { messageCount } = await answer(this.channel.checkQueue(this.queue), this.timeout, this.source);
      if (messageCount >= expected) return;
    }
  }
}

async function answer<T>(work: PromiseLike<T>, timeout: number, source: HubErrorOptions): Promise<T> {
  const late = (): HubError => new HubError('UNAVAILABLE', `the broker has not answered within ${timeout} ms.`, source);
  try {
    return await withDeadline(work, timeout, late);
  } catch (error) {
    throw amqpError(error, source);
  }
}

async function closed(channel: ConfirmChannel, timeout: number): Promise<void> {
  try {
    await withDeadline(channel.close(), timeout);
  } catch {
    // It is gone, or goes with its connection.
  }
}
