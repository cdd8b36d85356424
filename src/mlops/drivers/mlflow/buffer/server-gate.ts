import type { StoreLogger } from '../../../../embedded/store-logger.js';
import { errorMessage, HubError } from '../../../../core/errors.js';
import { retryDelay, type RetryPolicy } from '../../../../core/retry.js';
import { retryAfterOf } from './run-writer.js';

/** What the gate tells. */
export interface GateEvents {
  /** The server went away. */
  away(): void;
  /** It stays away: those who wait for their writes should wait no longer. */
  gone(): void;
  /** It is back. */
  back(): void;
  /** It is time to try whether it is back. */
  retry(): void;
}

/** Knows whether the server is there, by the requests that are made anyway, and when to try again. */
export class ServerGate {
  #away = false;
  #failures = 0;
  #successes = 0;
  /** When it went away, and when it was last found so, in ms of `performance.now()`. */
  #awaySince = 0;
  #lastFailure = 0;
  /** Before this the server does not want to be asked, in ms of `performance.now()`. */
  #notBefore = 0;
  #lastError: unknown;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly policy: RetryPolicy,
    /** For how long it may be away before it is {@link gone}, in ms. */
    private readonly patience: number,
    private readonly logger: StoreLogger,
    private readonly events: GateEvents,
  ) {}

  get away(): boolean {
    return this.#away;
  }

  /** Whether it has been away for longer than anybody wants to wait. */
  get gone(): boolean {
    return this.#away && this.#lastFailure - this.#awaySince >= this.patience;
  }

  /** Requests that worked since the start. */
  get successes(): number {
    return this.#successes;
  }

  /** Why the server is away: code and message of the last failure. */
  get reason(): string | undefined {
    if (!this.#away) return undefined;
    const { code } = HubError.is(this.#lastError) ? this.#lastError : { code: 'INTERNAL' };
    return `${code}: ${errorMessage(this.#lastError)}`;
  }

  /** A request found the server away. @param began when it was made, in ms of `performance.now()` */
  failed(error: unknown, began: number): void {
    const now = performance.now();
    const known = this.gone;
    this.#lastError = error;
    // Requests that were under way at the same time have seen one and the same outage.
    if (!this.#away || began >= this.#lastFailure) this.#failures += 1;
    this.#lastFailure = now;
    this.#notBefore = Math.max(this.#notBefore, now + retryAfterOf(error));
    if (!this.#away) {
      this.#away = true;
      this.#awaySince = now;
      this.logger.warn(`writes cannot be sent to the MLflow server and have to wait. ${this.reason}`);
      this.events.away();
    }
    if (this.gone && !known) this.events.gone();
    this.#schedule();
  }

  /** The server answered. */
  worked(): void {
    this.#successes += 1;
    this.#failures = 0;
    this.#notBefore = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#away || this.#closed) return;
    this.#away = false;
    this.logger.log('the MLflow server answers again.');
    this.events.back();
  }

  /** There is nothing to try with: the next write will tell. */
  presume(): void {
    this.#away = false;
    this.#failures = 0;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#closed) return;
    const wait = Math.max(retryDelay(this.policy, this.#failures), this.#notBefore - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#away) return;
      // Somebody may have been put off after the timer was set.
      if (performance.now() >= this.#notBefore) this.events.retry();
      // Until a try has ended, which clears it, so that no path leads to nobody trying any more.
      if (this.#away) this.#schedule();
    }, wait).unref();
  }
}
