import { abortError, MAX_TIMER_MS, throwIfAborted } from '../../../core/deadline.js';
import type { HubErrorOptions } from '../../../core/errors.js';
import type { ConsumerContext } from './consumer-context.js';
import type { LiveChannel } from './live-channel.js';
import { decodeMessage } from './message-decoder.js';
import type { Held } from './settlement.js';

/** Shortest and longest pause between two looks at an empty queue, in ms. */
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 200;

/** How long a quorum queue may count a message that was settled as a consumer, in ms. */
const SETTLING_MS = 1_000;

/** What {@link QueuePuller.pull} is asked for. */
export interface PullRequest {
  max: number;
  /** In ms. */
  wait: number;
  signal: AbortSignal | undefined;
  source: HubErrorOptions;
}

/**
 * Takes single messages from a queue (`basic.get`) on a channel of their own: the broker closes a channel on which a
 * missing queue was asked for, and with it all that is in hand there.
 */
export class QueuePuller {
  #live: LiveChannel | undefined;
  /** Resolves when the last of those who wait has gone. */
  #lastWaiting = Promise.resolve();
  /** When the last message was taken, ms since 1970, and how many were since it was calm before. */
  #lastTake = 0;
  #taken = 0;
  #opening: Promise<LiveChannel> | undefined;

  /** @param closing fires when the plugin closes */
  constructor(
    private readonly context: ConsumerContext,
    private readonly queue: string,
    private readonly closing: AbortSignal,
  ) {}

  /** Up to `max` messages, as soon as there is one; none when there is none within `wait`. */
  async pull(request: PullRequest): Promise<Held[]> {
    const { wait, signal, source } = request;
    throwIfAborted(signal, source);
    const deadline = Date.now() + wait;
    if (wait === 0) return this.#take(request, deadline);
    // Those who wait take turns: one who wants many would take the messages of all others.
    const before = this.#lastWaiting;
    let leave: () => void = () => undefined;
    this.#lastWaiting = new Promise((resolve) => (leave = resolve));
    try {
      await this.#pause(deadline - Date.now(), signal, before);
      return await this.#poll(request, deadline);
    } finally {
      void before.then(leave);
    }
  }

  /**
   * Consumers of a quorum queue that are only messages taken here: the broker counts each as a consumer until it is
   * settled, and for a moment longer.
   */
  get ghosts(): number {
    const recent = Date.now() - this.#lastTake < SETTLING_MS ? this.#taken : 0;
    return recent + (this.#live?.inHand ?? 0);
  }

  /** Lets the channel go when all that is in hand is settled. */
  retire(): void {
    this.#live?.retire();
    this.#live = undefined;
  }

  async #poll(request: PullRequest, deadline: number): Promise<Held[]> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      throwIfAborted(request.signal, request.source);
      const taken = await this.#take(request, deadline);
      const left = deadline - Date.now();
      if (taken.length > 0 || left <= 0) return taken;
      await this.#pause(Math.min(pause, left), request.signal);
    }
  }

  async #take({ max, signal }: PullRequest, deadline: number): Promise<Held[]> {
    const taken: Held[] = [];
    try {
      while (taken.length < max) {
        const live = await this.#open();
        const message = await this.context.withinDeadline(live.channel.get(this.queue));
        if (message === false) break;
        live.took(message);
        this.#count();
        const held = { received: decodeMessage(message, this.queue, Date.now()), live };
        if (signal?.aborted === true || this.closing.aborted) {
          for (const one of [...taken, held]) one.live.giveBack(one.received.raw);
          throw abortError(this.closing.aborted ? this.closing : signal);
        }
        const unfit = this.context.settlement.unfit(held);
        if (unfit === undefined) taken.push(held);
        else await unfit(held);
      }
    } catch (error) {
      if (taken.length > 0 && taken[0]?.live.open === true) return taken;
      const explained = this.context.explain(error, this.queue);
      // The connection may be back before the wait is over.
      if (deadline > Date.now() && 'code' in explained && explained.code === 'UNAVAILABLE') return [];
      throw explained;
    }
    return taken;
  }

  #count(): void {
    const now = Date.now();
    if (now - this.#lastTake >= SETTLING_MS) this.#taken = 0;
    this.#taken += 1;
    this.#lastTake = now;
  }

  #open(): Promise<LiveChannel> {
    if (this.#live?.open === true) return Promise.resolve(this.#live);
    this.#opening ??= this.context
      .openChannel(this.queue, (closed) => {
        if (this.#live === closed) this.#live = undefined;
      })
      .then((live) => (this.#live = live))
      .finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  /** Waits `ms`, or until `early` resolves; rejects when a signal fires. */
  #pause(ms: number, signal: AbortSignal | undefined, early?: Promise<void>): Promise<void> {
    const signals = signal === undefined ? [this.closing] : [this.closing, signal];
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        for (const one of signals) one.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = (): void => end(() => reject(abortError(signals.find(({ aborted }) => aborted))));
      const timer = setTimeout(() => end(resolve), Math.min(ms, MAX_TIMER_MS));
      for (const one of signals) one.addEventListener('abort', onAbort, { once: true });
      void early?.then(() => end(resolve));
      if (signals.some(({ aborted }) => aborted)) onAbort();
    });
  }
}
