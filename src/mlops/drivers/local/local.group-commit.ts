import { setImmediate } from 'node:timers/promises';
import { HubError } from '../../../core/errors.js';
import type { LocalDatabase } from './local.database.js';

interface Item {
  work: () => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

interface Outcome {
  item: Item;
  value?: unknown;
  error?: unknown;
}

/** How long one transaction may gather writes before the event loop gets its turn, in ms. */
const SLICE = 40;
/** How long a caller who awaits each write may keep the event loop from its other work, in ms. */
const LONE_SLICE = 10;

/**
 * The one way to write: what is submitted together is committed in one transaction, in the order of the calls. A write
 * that fails costs only its own caller.
 */
export class GroupCommit {
  #queue: Item[] = [];
  #running = false;
  /** Whether the last transaction held one write only. */
  #lone = false;
  #turnAt = 0;
  /** Whether a write was made in this very step of the program: then a second one joins a transaction. */
  #burst = false;
  readonly #endBurst = (): void => {
    this.#burst = false;
  };
  #submitted = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly db: LocalDatabase) {}

  /** How many writes have been submitted so far. */
  get submitted(): number {
    return this.#submitted;
  }

  /**
   * Resolves to the result of `work` once it is committed. `work` is synchronous and may run more than once.
   * @param alone the same without need of a transaction, for a caller who awaits each write before the next. When it
   *   throws, `work` has the last word
   */
  write<T>(work: () => T, alone?: () => T): Promise<T> {
    this.#submitted += 1;
    if (alone !== undefined && this.#mayRunNow()) {
      try {
        const value = alone();
        this.#burst = true;
        queueMicrotask(this.#endBurst);
        return Promise.resolve(value);
      } catch {
        // The database is locked, or the write is refused: the queue finds out which.
      }
    }
    const promise = new Promise<unknown>((resolve, reject) => {
      this.#queue.push({ work, resolve, reject });
    });
    this.#last = promise;
    if (!this.#running) {
      this.#running = true;
      void this.#run();
    }
    return promise as Promise<T>;
  }

  /** Runs `work` after everything that was submitted before the call is committed, or has failed. */
  async read<T>(work: () => T): Promise<T> {
    await this.settled();
    return this.db.retry(work);
  }

  /** Resolves when everything that was submitted before the call is committed, or has failed. */
  async settled(): Promise<void> {
    await this.#last.catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      // Lets all calls of this turn of the event loop, and those made by their continuations, join the transaction.
      await setImmediate();
      this.#turnAt = performance.now();
      const group = this.#queue;
      this.#queue = [];
      this.#lone = group.length === 1;
      await this.#commit(group);
    }
    this.#running = false;
  }

  /** Whether a caller awaits each write before the next: then there is nobody to share a transaction with. */
  #mayRunNow(): boolean {
    return this.#lone && !this.#burst && !this.#running && performance.now() - this.#turnAt < LONE_SLICE;
  }

  async #commit(group: Item[]): Promise<void> {
    let outcomes: Outcome[];
    try {
      outcomes = await this.db.retry(() => this.db.transaction(() => runAll(group)));
    } catch (cause) {
      const failAll = (error: unknown): Outcome[] => group.map((item) => ({ item, error }));
      // Either the database stays locked, or somebody's write failed and nothing is stored: then once more, with every
      // write on its own.
      outcomes = HubError.is(cause, 'UNAVAILABLE')
        ? failAll(cause)
        : await this.db.retry(() => this.db.transaction(() => this.#runEach(group))).catch(failAll);
    }
    this.#queue = [...group.slice(outcomes.length), ...this.#queue];
    for (const { item, value, error } of outcomes) {
      if (error === undefined) item.resolve(value);
      else item.reject(error);
    }
  }

  #runEach(group: Item[]): Outcome[] {
    return inSlice(group, (item) => {
      try {
        return { item, value: this.db.savepoint(item.work) };
      } catch (error) {
        return { item, error: error ?? new Error('unknown failure') };
      }
    });
  }
}

function runAll(group: Item[]): Outcome[] {
  return inSlice(group, (item) => ({ item, value: item.work() }));
}

/** The outcomes of as many items as fit into a slice of time, at least one. */
function inSlice(group: Item[], run: (item: Item) => Outcome): Outcome[] {
  const end = Date.now() + SLICE;
  const outcomes: Outcome[] = [];
  for (const item of group) {
    outcomes.push(run(item));
    if (Date.now() > end) break;
  }
  return outcomes;
}
