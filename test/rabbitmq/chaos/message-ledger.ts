/** When a message was sent, in ms of `performance.now()`. */
export interface Sending {
  began: number;
  /** When its send resolved. */
  ended: number;
}

/** Waits for an arrival. */
interface Watcher {
  fits: (id: string, now: number) => boolean;
  resolve: (at: number) => void;
}

/** What was confirmed to a producer, and what consumers were given. */
export class MessageLedger {
  readonly confirmed = new Map<string, Sending>();
  /** When the send of a message began; also of those that were never confirmed. */
  readonly began = new Map<string, number>();
  /** How often each message was delivered. */
  readonly deliveries = new Map<string, number>();
  /** Messages that are not what was sent under their id. */
  readonly faults: string[] = [];
  readonly #watchers = new Set<Watcher>();

  /** Deliveries beyond the first of each message. */
  get duplicates(): number {
    let deliveries = 0;
    for (const count of this.deliveries.values()) deliveries += count;
    return deliveries - this.deliveries.size;
  }

  /** Notes a delivery. @param payload has to be the id again: a duplicate under another id would show */
  arrived(id: string, payload: unknown): void {
    if (payload !== id) this.faults.push(`${id} carries ${JSON.stringify(payload)}`);
    if (!this.began.has(id)) this.faults.push(`${id} was never sent`);
    this.deliveries.set(id, (this.deliveries.get(id) ?? 0) + 1);
    if (this.#watchers.size === 0) return;
    const now = performance.now();
    for (const watcher of this.#watchers) {
      if (!watcher.fits(id, now)) continue;
      this.#watchers.delete(watcher);
      watcher.resolve(now);
    }
  }

  /** When the next message is delivered, in ms of `performance.now()`; rejects after `ms`. */
  next(ms = 60_000): Promise<number> {
    return this.#watch(() => true, 'nothing was consumed', ms);
  }

  /** When the first message arrives whose send began after `since`; rejects after `ms`. */
  fresh(since: number, ms = 60_000): Promise<number> {
    return this.#watch((id) => (this.began.get(id) ?? 0) > since, 'nothing new was sent and consumed', ms);
  }

  /** The confirmed messages that were never delivered. @param fits which to look at; default all */
  lost(fits: (sending: Sending) => boolean = () => true): string[] {
    return [...this.confirmed].filter(([id, sending]) => !this.deliveries.has(id) && fits(sending)).map(([id]) => id);
  }

  #watch(fits: Watcher['fits'], otherwise: string, ms: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(watcher);
        reject(new Error(`${otherwise} within ${ms} ms`));
      }, ms);
      const watcher: Watcher = {
        fits,
        resolve: (at) => {
          clearTimeout(timer);
          resolve(at);
        },
      };
      this.#watchers.add(watcher);
    });
  }
}
