import { setTimeout as delay } from 'node:timers/promises';
import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { amqpError } from '../../../amqp/amqp.errors.js';
import type { AmqpLink } from '../../../amqp/amqp.link.js';
import { withDeadline } from '../../../core/deadline.js';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { RawMessage } from './message-decoder.js';
import { deadQueue } from './topology.js';

/**
 * Most messages that are taken only to keep the order. A quorum queue delivers what was returned to it first, in the
 * order of the return: whoever returns some of those without the others puts them behind the others.
 */
const MAX_REORDERED = 10_000;

/** How long the returned messages may take to be counted as ready again, in ms, and how often that is looked at. */
const RETURN_MS = 1_000;
const RETURN_POLL_MS = 5;

/** How long no message may come ahead before the reader looks whether there is one, in ms. */
const STARVED_MS = 100;

/** Takes messages from a dead letter queue in order, on a channel of its own, and returns in order what is not acked. */
export class DeadLetterReader {
  /** The newest message that was delivered; `undefined` when the queue was empty then. */
  #last: RawMessage | undefined;
  #taken = 0;
  #acked = 0;
  /** Name of the consumer that gets messages ahead. */
  #consumer: string | undefined;
  /** What it got and nobody has asked for yet. */
  readonly #ahead: RawMessage[] = [];
  /** What it got and is not acked, in order. */
  readonly #unacked = new Set<RawMessage>();
  #closed = false;
  #wake: () => void = () => undefined;

  private constructor(
    private readonly channel: ConfirmChannel,
    private readonly queue: string,
    private readonly timeout: number,
    private readonly source: HubErrorOptions,
    /** Messages in the queue when the reader was opened. */
    readonly readyAtStart: number,
  ) {
    channel.on('close', () => this.#lost());
  }

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

  /**
   * Lets up to `count` messages that are not acked come ahead, instead of asking for each: several times as fast, for who
   * acks them all. To be called once, before {@link next}.
   */
  async prefetch(count: number): Promise<void> {
    await answer(this.channel.prefetch(count), this.timeout, this.source);
    const { consumerTag } = await answer(
      this.channel.consume(this.queue, (message) => this.#arrived(message)),
      this.timeout,
      this.source,
    );
    this.#consumer = consumerTag;
  }

  /** The next message; `undefined` when there is none. */
  async next(): Promise<RawMessage | undefined> {
    if (this.#consumer !== undefined) return this.#nextAhead();
    const message = await answer(this.channel.get(this.queue), this.timeout, this.source);
    this.#last = message === false ? undefined : message;
    if (this.#last !== undefined) this.#taken += 1;
    return this.#last;
  }

  /** Removes a message for good. Throws `UNAVAILABLE` when the channel is gone: then the message is still there. */
  ack(message: RawMessage): void {
    try {
      this.channel.ack(message);
    } catch (error) {
      throw amqpError(error, this.source);
    }
    this.#acked += 1;
    this.#unacked.delete(message);
  }

  /** Returns what is not acked and closes the channel. Never rejects: a channel that is gone has returned it all. */
  async close(): Promise<void> {
    try {
      if (!this.#closed) await this.#return();
    } catch {
      // The broker returns what a closed channel held.
    }
    await closed(this.channel, this.timeout);
  }

  #arrived(message: ConsumeMessage | null): void {
    if (message === null) {
      this.#lost();
      return;
    }
    this.#taken += 1;
    this.#last = message;
    this.#ahead.push(message);
    this.#unacked.add(message);
    this.#wake();
  }

  /** The channel is closed, or the queue deleted. */
  #lost(): void {
    this.#closed = true;
    this.#wake();
  }

  async #nextAhead(): Promise<RawMessage | undefined> {
    for (const end = Date.now() + this.timeout; Date.now() < end;) {
      const message = this.#ahead.shift();
      if (message !== undefined) return message;
      if (this.#closed) break;
      const arrived = new Promise<boolean>((resolve) => (this.#wake = () => resolve(true)));
      if (await Promise.race([arrived, delay(STARVED_MS, false)])) continue;
      // Others may hold what was there when the reader was opened.
      if ((await this.#ready()) === 0 && this.#ahead.length === 0) return undefined;
    }
    throw new HubError('UNAVAILABLE', 'the connection was lost while dead letters were read.', this.source);
  }

  async #return(): Promise<void> {
    if (this.#consumer !== undefined) {
      await answer(this.channel.cancel(this.#consumer), this.timeout, this.source);
      this.#consumer = undefined;
    }
    if (this.#taken === this.#acked) return;
    for (let extra = 0; extra < MAX_REORDERED && this.#last?.fields.redelivered === true; extra += 1) await this.next();
    const expected = (await this.#ready()) + this.#taken - this.#acked;
    // Those that came ahead first: all at once, the broker would return them in two lists of any order.
    for (const message of this.#unacked) this.channel.nack(message, false, true);
    this.channel.nackAll(true);
    // They are returned a little later; whoever asks for the counts should not see fewer.
    for (const end = Date.now() + RETURN_MS; Date.now() < end; await delay(RETURN_POLL_MS)) {
      if ((await this.#ready()) >= expected) return;
    }
  }

  async #ready(): Promise<number> {
    return (await answer(this.channel.checkQueue(this.queue), this.timeout, this.source)).messageCount;
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
