import type { ConfirmChannel } from 'amqplib';
import { withDeadline } from '../core/deadline.js';
import { HubError, type HubErrorOptions } from '../core/errors.js';
import { amqpError } from './amqp.errors.js';
import type { AmqpLink } from './amqp.link.js';

/** Most time to close the channel, in ms. */
const CLOSE_MS = 1_000;

/** Declarations, counts and the like: one at a time, on a channel of their own that a failing one closes. */
export class AmqpRpc {
  #channel: ConfirmChannel | undefined;
  #last: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();

  /** @param timeout most time of each call in ms, the wait for its turn included */
  constructor(
    private readonly link: AmqpLink,
    private readonly timeout: number,
    private readonly source: HubErrorOptions,
  ) {}

  /**
   * Runs `work` when its turn comes, and resolves to what it returns. Rejects with the code of `amqpError`, with
   * `UNAVAILABLE` without a connection and after the timeout, and with `CLOSED` after {@link close}.
   * @param operation for the error
   */
  run<T>(operation: string, work: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
    const source = { ...this.source, operation };
    const deadline = performance.now() + this.timeout;
    // Those before it end by deadlines of their own, which are earlier.
    const turn = this.#last.then(() => this.#take(work, deadline, source));
    this.#last = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  /** Rejects what runs and waits with `CLOSED` and closes the channel, within 1 s; the link stays. Never rejects. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) this.#closing.abort(this.#closedError(this.source));
    await this.#last;
    await withDeadline(this.#drop(), CLOSE_MS).catch(() => undefined);
  }

  async #take<T>(work: (channel: ConfirmChannel) => Promise<T>, until: number, source: HubErrorOptions): Promise<T> {
    if (this.#closing.signal.aborted) throw this.#closedError(source);
    const late = () => new HubError('UNAVAILABLE', `RabbitMQ did not answer within ${this.timeout} ms.`, source);
    const ms = until - performance.now();
    if (ms <= 0) throw late();
    const attempt = { over: false };
    try {
      return await withDeadline(this.#run(work, attempt), ms, late, this.#closing.signal);
    } catch (error) {
      attempt.over = true;
      // Closed by the broker, or with an answer to come that nobody waits for.
      void this.#drop();
      throw amqpError(error, source);
    }
  }

  async #run<T>(work: (channel: ConfirmChannel) => Promise<T>, attempt: { over: boolean }): Promise<T> {
    let channel = this.#channel;
    if (channel === undefined) {
      const opened = await this.link.channel();
      if (attempt.over) {
        void opened.close().catch(() => undefined);
        throw new HubError('UNAVAILABLE', 'the channel came too late.', this.source);
      }
      opened.once('close', () => {
        if (this.#channel === opened) this.#channel = undefined;
      });
      this.#channel = channel = opened;
    }
    return await work(channel);
  }

  async #drop(): Promise<void> {
    const channel = this.#channel;
    this.#channel = undefined;
    await channel?.close().catch(() => undefined);
  }

  #closedError(source: HubErrorOptions): HubError {
    return new HubError('CLOSED', 'the connection to RabbitMQ is closed.', source);
  }
}
