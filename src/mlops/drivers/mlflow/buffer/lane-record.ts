import { errorMessage, HubError } from '../../../../core/errors.js';
import { retryDelay, type RetryPolicy } from '../../../../core/retry.js';
import { isServerFault, retryAfterOf } from './run-writer.js';

/** After how many faults of MLflow itself in a row a single write may be to blame. */
const SUSPICIOUS = 5;
/** How long they have to last when no other run shows that the server works, in ms. */
const PATIENCE = 30_000;
/** Longest wait of one run alone, in ms, unless the server asks for more: as a whole it is known to be there then. */
const MAX_DELAY = 2_000;

/**
 * How the requests of one run fare beside those of all others: whether the server is at fault, or this run, or one of
 * its writes.
 */
export class LaneRecord {
  #failures = 0;
  #failingSince = 0;
  #own = 0;
  #faults = 0;
  #faultsSince = 0;
  #patience = PATIENCE;
  /** Successes of all runs before the first failure in a row, before the last one, and at the last condemnation. */
  #atFirst = 0;
  #atLast = 0;
  #atCondemned: number | undefined;
  #suspecting = false;
  #lastError: unknown;

  /** @param successes how many requests of all runs have worked so far */
  constructor(private readonly successes: () => number) {}

  /** Failed tries in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Those of them that came although another run had worked since they began: they are no outage. */
  get own(): number {
    return this.#own;
  }

  /** Why the last try failed. */
  get reason(): string | undefined {
    if (this.#failures === 0) return undefined;
    const { code } = HubError.is(this.#lastError) ? this.#lastError : { code: 'INTERNAL' };
    return `${code}: ${errorMessage(this.#lastError)}`;
  }

  /** Whether it has to be kept, so that faults of MLflow itself add up. */
  get faulty(): boolean {
    return this.#faults > 0;
  }

  /** Whether it has been failing for `ms` ms. */
  failsFor(ms: number): boolean {
    return this.#failures > 0 && performance.now() - this.#failingSince >= ms;
  }

  /** How long the run waits after its last failure, in ms. */
  wait(retry: RetryPolicy): number {
    return Math.max(retryDelay({ ...retry, maxDelay: MAX_DELAY }, this.#failures), retryAfterOf(this.#lastError));
  }

  /**
   * A request is about to be made: decides whether its failure may be held against a write.
   * @returns the time, in ms of `performance.now()`
   */
  begin(): number {
    const now = performance.now();
    const lasted = now - this.#faultsSince >= this.#patience;
    this.#suspecting = this.#faults >= SUSPICIOUS && (this.successes() > this.#atLast || lasted);
    this.#atCondemned = undefined;
    return now;
  }

  /** Whether an error of the request that has begun is held against its writes, though it may pass. */
  blames(error: unknown): boolean {
    if (!this.#suspecting || !isServerFault(error)) return false;
    // After one write was condemned something has to work first: otherwise it may be the server after all.
    return this.#atCondemned === undefined || this.successes() > this.#atCondemned;
  }

  /** The server answered as it should. */
  worked(): void {
    this.#reset();
    this.#patience = PATIENCE;
  }

  /** A write was given up for a fault of the server's. */
  condemned(): void {
    // Without a sign that the server works at all, the next one gets more time: an outage must not cost many.
    if (this.successes() <= this.#atLast) this.#patience *= 2;
    this.#atCondemned = this.successes();
    this.#reset();
  }

  /** A try failed. */
  failed(error: unknown): void {
    const successes = this.successes();
    if (this.#failures === 0) {
      this.#atFirst = successes;
      this.#failingSince = performance.now();
    }
    this.#failures += 1;
    if (successes > this.#atFirst) this.#own += 1;
    if (!isServerFault(error)) this.#faults = 0;
    else {
      if (this.#faults === 0) this.#faultsSince = performance.now();
      this.#faults += 1;
    }
    this.#atLast = successes;
    this.#lastError = error;
  }

  #reset(): void {
    this.#failures = 0;
    this.#own = 0;
    this.#faults = 0;
  }
}
