import { randomUUID } from 'node:crypto';
import type { ConsumeMessage } from 'amqplib';
import { sleep } from '../../../core/deadline.js';
import { retryDelay } from '../../../core/retry.js';
import type { StoreFault } from '../../../embedded/store-fault.js';
import type { ConsumerContext } from './consumer-context.js';
import type { LiveChannel } from './live-channel.js';

/** Words for the fault and the log. */
const TAKE = 'take messages';

/** What happens to a {@link Consumer}. */
export interface ConsumerEvents {
  /** A message has come. */
  arrived(live: LiveChannel, message: ConsumeMessage): void;
  /** Nothing more comes on its channel: what waits there is to be given back. */
  released(live: LiveChannel): void;
  /** The broker has ended it, or its channel; it is attached again. */
  ended(why: string): void;
}

/**
 * A consumer at the broker, on a channel of its own. As long as it is wanted it is attached again whenever it is not: after
 * the connection, its channel or (when the broker cancels it) the queue was lost.
 */
export class Consumer {
  #wanted = true;
  #live: LiveChannel | undefined;
  /** Whether the broker has agreed to deliver on it; until then who attaches it hears of what goes wrong. */
  #agreed = false;
  #tag = '';
  #attaching: Promise<void> | undefined;
  #detaching: Promise<void> | undefined;
  /** Fires when it is not wanted. */
  #ended = new AbortController();

  constructor(
    private readonly context: ConsumerContext,
    private readonly queue: string,
    private readonly prefetch: number,
    private readonly fault: StoreFault,
    private readonly events: ConsumerEvents,
  ) {}

  /** Whether the broker delivers to it. */
  get attached(): boolean {
    return this.#live !== undefined && this.#agreed;
  }

  /** Attaches it for the first time; rejects when that is not possible. */
  async start(): Promise<void> {
    await this.#attach(false);
  }

  /** Attaches it again after {@link stop}; resolves when it is, or is not wanted any more. */
  async resume(): Promise<void> {
    this.#wanted = true;
    this.#ended = new AbortController();
    await this.#detaching;
    await this.#reattach(false);
  }

  /** Takes nothing more; resolves when the broker delivers nothing more. Its channel closes when nothing is in hand. */
  stop(): Promise<void> {
    this.#wanted = false;
    this.#ended.abort();
    this.fault.dropped(TAKE);
    const live = this.#live;
    if (live === undefined) return this.#detaching ?? Promise.resolve();
    this.#live = undefined;
    this.#detaching = this.context.withinDeadline(live.channel.cancel(this.#tag)).then(
      () => this.#release(live),
      () => live.close(),
    );
    return this.#detaching;
  }

  /** @param cutOff whether it was attached until the connection was lost */
  async #attach(cutOff: boolean): Promise<void> {
    const live = await this.context.openChannel(this.queue, (closed) => this.#lost(closed));
    try {
      await this.context.withinDeadline(live.channel.prefetch(this.prefetch));
      if (cutOff) {
        const { messageCount } = await this.context.withinDeadline(live.channel.checkQueue(this.queue));
        live.outlive(messageCount);
      }
      if (!this.#wanted) return this.#release(live);
      this.#live = live;
      this.#agreed = false;
      this.#tag = `${this.context.consumerTag}-${randomUUID()}`;
      const options = { consumerTag: this.#tag };
      const consumed = live.channel.consume(this.queue, (message) => this.#arrived(live, message), options);
      await this.context.withinDeadline(consumed);
      if (!live.open) throw new Error(live.fault ?? 'the channel was closed');
      this.#agreed = true;
    } catch (error) {
      this.#release(live);
      throw this.context.explain(error, this.queue);
    }
  }

  #arrived(live: LiveChannel, message: ConsumeMessage | null): void {
    if (message !== null) {
      live.took(message);
      if (this.#live === live) this.events.arrived(live, message);
      else live.giveBack(message);
      return;
    }
    const wanted = this.#wanted && this.#live === live;
    this.#release(live);
    if (!wanted) return;
    this.events.ended('the queue was deleted, or its node is gone');
    void this.#reattach(false);
  }

  /** The channel is gone. */
  #lost(live: LiveChannel): void {
    this.events.released(live);
    if (this.#live !== live) return;
    this.#live = undefined;
    if (!this.#agreed) return;
    if (live.fault !== undefined) this.events.ended(live.fault);
    void this.#reattach(live.fault === undefined);
  }

  /** Lets the channel go when its last message is settled. */
  #release(live: LiveChannel): void {
    if (this.#live === live) this.#live = undefined;
    this.events.released(live);
    live.retire();
  }

  async #reattach(cutOff: boolean): Promise<void> {
    if (!this.#wanted || this.#live !== undefined) return;
    this.#attaching ??= this.#keepTrying(cutOff).finally(() => {
      this.#attaching = undefined;
    });
    await this.#attaching;
  }

  async #keepTrying(cutOff: boolean): Promise<void> {
    for (let attempt = 1; this.#wanted && this.#live === undefined; attempt += 1) {
      const { signal } = this.#ended;
      try {
        await this.context.whenUp(signal);
        if (attempt > 1) await this.context.restore(this.queue);
        await this.#attach(cutOff);
        this.fault.worked(TAKE);
      } catch (error) {
        // The first attempt comes before the connection is known to be lost, and fails with it.
        if (!signal.aborted && attempt > 1) this.fault.failed(TAKE, error);
        // At once: the queue may be made again by this process as soon as it is known to be missing.
        const wait = attempt === 1 ? 0 : retryDelay(this.context.reconnect, attempt - 1);
        await sleep(wait, signal).catch(() => undefined);
      }
    }
  }
}
