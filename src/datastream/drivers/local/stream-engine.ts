import { MAX_TIMER_MS } from '../../../core/deadline.js';
import type { EmbeddedStoreOptions } from '../../../embedded/store.options.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import type { DeadLetterReason } from '../../datastream.types.js';
import type { StoredMessage } from './stored-message.js';
import { StreamStore, type DeliveryKey, type StoredQueue } from './stream-store.js';

/** How a delivery ends. */
export type Settlement =
  | { kind: 'ack' }
  /** `delay` in ms. `spared`: no retry policy counts the delivery, only the `deliveryLimit` does. */
  | { kind: 'release'; delay: number; spared?: boolean }
  | { kind: 'bury'; reason: DeadLetterReason; detail: string };

/** A delivery and how it ends. */
export interface Settled extends DeliveryKey {
  settlement: Settlement;
}

/**
 * One opening of the store (an epoch: deliveries belong to it), with what makes it run: who waits for which queue, and
 * one timer for expiry and delayed retries.
 */
export class StreamEngine {
  readonly store: StreamStore;
  readonly #listeners = new Map<number, Set<() => void>>();
  #timer: NodeJS.Timeout | undefined;
  #sweepAt = Infinity;
  #closed = false;

  constructor(
    options: EmbeddedStoreOptions,
    readonly logger: StoreLogger,
  ) {
    this.store = new StreamStore(options);
    for (const { queue, count } of this.store.buried) {
      logger.warn(`queue "${queue}": ${count} message(s) became dead letters, because processes died with them.`);
    }
    this.#arm(this.store.nextSweep());
  }

  /** Whether this epoch is over. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Calls `onReady` whenever the queue may have ready messages, until the returned function is called. */
  listen(queue: StoredQueue, onReady: () => void): () => void {
    const listeners = this.#listeners.get(queue.id) ?? new Set();
    this.#listeners.set(queue.id, listeners.add(onReady));
    return () => {
      listeners.delete(onReady);
      if (listeners.size === 0 && this.#listeners.get(queue.id) === listeners) this.#listeners.delete(queue.id);
    };
  }

  /** Tells those who listen that the queue may have ready messages, or is gone. */
  wake(queueId: number): void {
    for (const onReady of [...(this.#listeners.get(queueId) ?? [])]) onReady();
  }

  /** Does what is due: expired messages become dead letters, delayed ones ready. */
  sweep(): void {
    const now = Date.now();
    if (now < this.#sweepAt) return;
    const woken = this.store.sweep(now);
    this.#sweepAt = Infinity;
    this.#arm(this.store.nextSweep());
    for (const queueId of woken) this.wake(queueId);
  }

  /** Notes that something is due at `at` (ms since 1970). */
  #arm(at: number | undefined): void {
    if (at === undefined || at >= this.#sweepAt || this.#closed) return;
    this.#sweepAt = at;
    clearTimeout(this.#timer);
    const wait = Math.min(MAX_TIMER_MS, Math.max(0, at - Date.now()));
    this.#timer = setTimeout(() => this.#onTimer(), wait);
    // Who waits for a message keeps the process alive; a message that nobody waits for does not.
    this.#timer.unref();
  }

  #onTimer(): void {
    if (this.#closed) return;
    const early = Date.now() < this.#sweepAt;
    try {
      if (!early) this.sweep();
    } catch {
      // A full disk, say. Nothing is lost by trying again later; callers and health see the error themselves.
      this.#retryLater(1_000);
      return;
    }
    if (early) this.#retryLater(0);
  }

  #retryLater(delay: number): void {
    const at = Math.max(this.#sweepAt === Infinity ? 0 : this.#sweepAt, Date.now() + delay);
    this.#sweepAt = Infinity;
    this.#arm(at);
  }

  /** After messages have been committed: arms the timer and wakes the queue. */
  published(queue: StoredQueue, earliestExpiry: number | undefined): void {
    this.#arm(earliestExpiry);
    this.wake(queue.id);
  }

  /** Hands out the next messages; see `StreamStore.take`. */
  take(queue: StoredQueue, max: number, auto = false): StoredMessage[] {
    this.sweep();
    return this.store.take(queue, max, auto);
  }

  /** Settles deliveries in one transaction. A delivery that is settled already, or whose queue is gone, has no effect. */
  settle(queue: StoredQueue, settled: readonly Settled[]): void {
    if (this.store.queue(queue.name)?.id !== queue.id) return;
    let released = false;
    let delayed = false;
    const buried: { delivery: DeliveryKey; detail: string | undefined }[] = [];
    this.store.transaction(() => {
      for (const { settlement, ...delivery } of settled) {
        if (settlement.kind === 'ack') this.store.ack(delivery);
        else if (settlement.kind === 'bury') {
          buried.push({ delivery, detail: this.store.bury(delivery, settlement.reason, settlement.detail) });
        } else {
          const { delay, spared = false } = settlement;
          buried.push({ delivery, detail: this.store.release(queue, delivery, delay, spared) });
          released = true;
          delayed ||= delay > 0;
        }
      }
    });
    // Only what is committed is told.
    for (const { delivery, detail } of buried) if (detail !== undefined) this.#tellBuried(queue, delivery, detail);
    if (!released) return;
    // A released message may have expired in its consumer's hands, or wait for its delay.
    this.#arm(this.store.nextSweep());
    if (!delayed || settled.length > 1) this.wake(queue.id);
  }

  #tellBuried({ name }: StoredQueue, { messageId, attempt }: DeliveryKey, detail: string): void {
    this.logger.warn(`queue "${name}": message ${messageId} became a dead letter at attempt ${attempt}: ${detail}`);
  }

  /** Makes dead letters new messages; see `StreamStore.redrive`. */
  redrive(queue: StoredQueue, seqs: readonly number[]): void {
    this.store.redrive(seqs);
    this.#arm(this.store.nextSweep());
    this.wake(queue.id);
  }

  /** Ends the epoch: the file is closed, and whoever listens is called a last time. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const queueId of this.#listeners.keys()) this.wake(queueId);
    this.store.close();
  }
}
