interface Waiter {
  /** Last place in the order of the calls that has to be on the server. */
  last: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Who waits until the writes of a run are on the server. */
export class LaneFlushes {
  #waiters: Waiter[] = [];

  get waiting(): boolean {
    return this.#waiters.length > 0;
  }

  /** Resolves when {@link reached} names a place after `last`. */
  wait(last: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.push({ last, resolve, reject }));
  }

  /** Everything before the place `first` is on the server, or nobody's any more. */
  reached(first: number): void {
    if (this.#waiters.length === 0) return;
    const done = this.#waiters.filter(({ last }) => last < first);
    this.#waiters = this.#waiters.filter(({ last }) => last >= first);
    for (const { resolve } of done) resolve();
  }

  fail(error: () => unknown): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(error());
  }
}
