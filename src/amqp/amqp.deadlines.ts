import { MAX_TIMER_MS } from '../core/deadline.js';
import type { PendingMessage } from './amqp.pending-message.js';

/** Least time between two looks, in ms: each looks at all messages. */
const SWEEP_MS = 25;

/** Looks after the deadlines of messages with one timer for all of them. */
export class Deadlines {
  #at = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param pending the messages that there are
   * @param expire called for those whose time is over
   */
  constructor(
    private readonly pending: () => Iterable<PendingMessage>,
    private readonly expire: (overdue: readonly PendingMessage[]) => void,
  ) {}

  /** Sees to it that somebody looks at `deadline`, a time of `performance.now()`. */
  watch(deadline: number): void {
    if (deadline >= this.#at) return;
    clearTimeout(this.#timer);
    this.#at = deadline;
    const ms = Math.min(MAX_TIMER_MS, Math.max(0, deadline - performance.now()));
    this.#timer = setTimeout(() => this.#look(), ms);
    // What is pending has a connection, or a wait for one, that keeps the process.
    this.#timer.unref();
  }

  /** Looks no more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    this.#at = Number.POSITIVE_INFINITY;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    const overdue: PendingMessage[] = [];
    for (const message of this.pending()) {
      if (message.settled) continue;
      if (message.deadline <= now) overdue.push(message);
      else next = Math.min(next, message.deadline);
    }
    this.expire(overdue);
    if (next < Number.POSITIVE_INFINITY) this.watch(Math.max(next, now + SWEEP_MS));
  }
}
