import { connect, type Channel, type ChannelModel } from 'amqplib';
import { withDeadline } from '../../../src/core/deadline.js';

/** Most time of an attempt to connect, and of an answer, in ms. */
const ANSWER_MS = 1_000;

/** What the broker itself says, over a plain connection that is no part of the driver. */
export class Witness {
  #connection: ChannelModel | undefined;
  #channel: Channel | undefined;

  constructor(private readonly url: string) {}

  /**
   * Consumers of a queue at this moment; 0 for a missing queue, `away` when the broker takes no connection, `undefined`
   * when it does not answer in time.
   */
  async consumers(queue: string): Promise<number | 'away' | undefined> {
    let channel: Channel;
    try {
      channel = await this.#open();
    } catch {
      return 'away';
    }
    try {
      return (await withDeadline(channel.checkQueue(queue), ANSWER_MS)).consumerCount;
    } catch (error) {
      if (this.#channel === channel) this.#channel = undefined;
      const text = String(error);
      if (/NOT_FOUND|404/.test(text)) return 0;
      return this.#connection === undefined ? 'away' : undefined;
    }
  }

  /** Ends it. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await withDeadline(Promise.resolve(connection?.close()), ANSWER_MS).catch(() => undefined);
  }

  async #open(): Promise<Channel> {
    if (this.#channel !== undefined) return this.#channel;
    let connection = this.#connection;
    if (connection === undefined) {
      const made = await connect(this.url, { timeout: ANSWER_MS });
      made.on('error', () => undefined);
      made.on('close', () => {
        if (this.#connection === made) this.#connection = this.#channel = undefined;
      });
      connection = this.#connection = made;
    }
    const channel = await withDeadline(connection.createChannel(), ANSWER_MS);
    channel.on('error', () => undefined);
    channel.on('close', () => {
      if (this.#channel === channel) this.#channel = undefined;
    });
    this.#channel = channel;
    return channel;
  }
}
