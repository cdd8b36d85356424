import type { StoreLogger } from '../../../../embedded/store-logger.js';
import { errorMessage, HubError } from '../../../../core/errors.js';
import { retryDelay, type RetryPolicy } from '../../../../core/retry.js';
import { retryAfterOf } from './run-writer.js';

/** What the gate tells. */
export interface GateEvents {
  /** The server went away. */
  away(): void;
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
  /** Before this the server does not want to be asked, in ms of `performance.now()`. */
  #notBefore = 0;
  #lastError: unknown;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly policy: RetryPolicy,
    private readonly logger: StoreLogger,
    private readonly events: GateEvents,
  ) {}

  get away(): boolean {
    return this.#away;
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

  /** A request found the server away. */
  failed(error: unknown): void {
    this.#lastError = error;
    this.#failures += 1;
    this.#notBefore = Math.max(this.#notBefore, performance.now() + retryAfterOf(error));
    if (!this.#away) {
      this.#away = true;
      this.logger.warn(`writes cannot be sent to the MLflow server and have to wait. ${this.reason}`);
      this.events.away();
    }
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
