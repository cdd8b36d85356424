import { errorMessage } from '../../../core/errors.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import type { TaskStore } from './task-store.js';

/** Most ms between two looks for expired results. */
const INTERVAL = 60_000;

/** Removes expired results at once and then periodically, without keeping the process alive. */
export class CleanUp {
  readonly #interval: number;
  #timer: NodeJS.Timeout | undefined;

  /** @param resultTtl ms; a short one is looked after more often */
  constructor(
    private readonly store: TaskStore,
    resultTtl: number,
    private readonly logger: StoreLogger,
  ) {
    this.#interval = Math.min(INTERVAL, Math.max(100, resultTtl));
    this.#step();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #step(): void {
    let more = false;
    try {
      more = this.store.cleanUp(Date.now());
    } catch (error) {
      this.logger.warn(`expired results cannot be removed; trying again. ${errorMessage(error)}`);
    }
    this.#timer = setTimeout(() => this.#step(), more ? 1 : this.#interval).unref();
  }
}
