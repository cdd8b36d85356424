import type { JsonObject } from 'nestjs-experiment-hub';
import type { DeadLetter, DeadLetterReason, Message } from 'nestjs-experiment-hub/datastream';
import {
  openPayload,
  type ResolvedQueueOptions,
  type SealedMessage,
} from 'nestjs-experiment-hub/datastream/driver-kit';

/** A message in a queue. */
export interface Entry {
  readonly sealed: SealedMessage;
  /** Orders the ready messages; kept by a message that is put back without delay. */
  position: number;
  timestamp: number;
  expiresAt: number;
  attempt: number;
}

interface DeadEntry extends Entry {
  reason: DeadLetterReason;
  detail: string;
  deadAt: number;
}

/** One queue: arrays for what is ready and dead, sets for what is out, and timers for what is delayed. */
export class MemoryQueue {
  #ready: Entry[] = [];
  #dead: DeadEntry[] = [];
  readonly #unacked = new Set<Entry>();
  readonly #delayed = new Map<Entry, NodeJS.Timeout>();
  readonly #listeners = new Set<() => void>();
  #position = 0;
  #closed = false;

  constructor(
    readonly name: string,
    readonly options: ResolvedQueueOptions,
  ) {}

  /** Whether the queue was deleted or the plugin shut down. */
  get closed(): boolean {
    return this.#closed;
  }

  counts(): { ready: number; unacked: number; delayed: number; deadLetters: number } {
    this.#expire();
    return {
      ready: this.#ready.length,
      unacked: this.#unacked.size,
      delayed: this.#delayed.size,
      deadLetters: this.#dead.length,
    };
  }

  /** Whether `more` messages still fit. */
  fits(more: number): boolean {
    const { maxLength } = this.options;
    return maxLength === null || this.counts().ready + more <= maxLength;
  }

  add(messages: readonly SealedMessage[]): void {
    for (const sealed of messages) {
      const timestamp = Date.now();
      const life = sealed.ttl ?? this.options.messageTtl ?? Infinity;
      this.#ready.push({ sealed, position: ++this.#position, timestamp, expiresAt: timestamp + life, attempt: 0 });
    }
    this.#wake();
  }

  /** Hands out the next messages, each with its attempt counted. */
  take(max: number): Entry[] {
    this.#expire();
    const taken = this.#ready.splice(0, max);
    for (const entry of taken) {
      entry.attempt += 1;
      this.#unacked.add(entry);
    }
    return taken;
  }

  ack(entry: Entry): void {
    this.#unacked.delete(entry);
  }

  /** Puts a delivered message back: at its place, or at the end after `delay` ms. */
  release(entry: Entry, delay: number): void {
    const { deliveryLimit } = this.options;
    if (entry.attempt >= deliveryLimit) {
      return this.bury(entry, 'delivery-limit', `delivered ${deliveryLimit} time(s) and never settled for good`);
    }
    if (!this.#unacked.delete(entry)) return;
    if (delay === 0) return this.#putBack(entry);
    const back = (): void => {
      this.#delayed.delete(entry);
      this.#putBack({ ...entry, position: ++this.#position });
    };
    // setTimeout carries at most 2^31 - 1 ms, about 25 days; a longer delay would fire at once.
    this.#delayed.set(entry, setTimeout(back, Math.min(delay, 2 ** 31 - 1)).unref());
  }

  bury(entry: Entry, reason: DeadLetterReason, detail: string): void {
    if (this.#unacked.delete(entry)) this.#dead.push({ ...entry, reason, detail, deadAt: Date.now() });
  }

  /** Removes the ready messages and returns their number. */
  flush(): number {
    this.#expire();
    return this.#ready.splice(0).length;
  }

  deadLetters(max: number): DeadLetter[] {
    this.#expire();
    return this.#dead.slice(0, max).map((entry) => {
      const { reason, detail, deadAt } = entry;
      return { ...this.message(entry), reason, detail, deadAt };
    });
  }

  /** Dead letters that a redrive of these arguments would send back. */
  redrivable(max: number, messageIds?: readonly string[]): Entry[] {
    this.#expire();
    const chosen = this.#dead.filter(({ sealed }) => messageIds?.includes(sealed.messageId) ?? true);
    return chosen.slice(0, max);
  }

  redrive(entries: readonly Entry[]): void {
    this.#dead = this.#dead.filter((entry) => !entries.includes(entry));
    this.add(entries.map(({ sealed }) => sealed));
  }

  purge(): number {
    this.#expire();
    return this.#dead.splice(0).length;
  }

  /** The message as a consumer sees it; payload and headers are copies. */
  message({ sealed, timestamp, attempt }: Entry): Message {
    return {
      messageId: sealed.messageId,
      queue: this.name,
      payload: openPayload(sealed.encoding, sealed.body),
      headers: JSON.parse(sealed.headers) as JsonObject,
      correlationId: sealed.correlationId,
      timestamp,
      attempt,
      redelivered: attempt > 1,
    };
  }

  /** Calls `onReady` whenever there may be something to take, until the returned function is called. */
  listen(onReady: () => void): () => void {
    this.#listeners.add(onReady);
    return () => this.#listeners.delete(onReady);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#delayed.values()) clearTimeout(timer);
    this.#wake();
  }

  #putBack(entry: Entry): void {
    const next = this.#ready.findIndex(({ position }) => position > entry.position);
    this.#ready.splice(next === -1 ? this.#ready.length : next, 0, entry);
    this.#wake();
  }

  #wake(): void {
    for (const onReady of [...this.#listeners]) onReady();
  }

  // Nobody can see an expired message before the next look at the queue, so no timer is needed for it.
  #expire(): void {
    const deadAt = Date.now();
    const expired = this.#ready.filter(({ expiresAt }) => expiresAt <= deadAt);
    if (expired.length === 0) return;
    this.#ready = this.#ready.filter(({ expiresAt }) => expiresAt > deadAt);
    for (const entry of expired)
      this.#dead.push({ ...entry, reason: 'expired', detail: 'its time to live has passed', deadAt });
  }
}
