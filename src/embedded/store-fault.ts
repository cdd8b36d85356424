import { errorMessage } from '../core/errors.js';
import type { StoreLogger } from './store-logger.js';

/**
 * What a local driver cannot do with its store at the moment. Each operation has a fault of its own: reading may work
 * while writing does not. Logged when it comes and when it has gone, however often it is tried in between.
 */
export class StoreFault {
  readonly #faults = new Map<string, string>();

  /** @param owner who has the fault, as the subject of the logged sentences */
  constructor(
    private readonly logger: StoreLogger,
    private readonly owner: string,
  ) {}

  /** The oldest fault, e.g. `cannot take messages: disk I/O error`; `undefined` when everything works. */
  get current(): string | undefined {
    const [fault] = this.#faults.values();
    return fault;
  }

  /** Notes that `operation` (words that follow "cannot") has failed. */
  failed(operation: string, error: unknown): void {
    // Sentences go on behind it.
    const fault = `cannot ${operation}: ${errorMessage(error)}`.replace(/\.$/, '');
    if (!this.#faults.has(operation)) this.logger.error(`${this.owner} ${fault}. It goes on trying.`);
    this.#faults.set(operation, fault);
  }

  /** Notes that `operation` has succeeded. */
  worked(operation: string): void {
    if (this.#faults.delete(operation)) this.logger.log(`${this.owner} can ${operation} again.`);
  }

  /** Notes that `operation` is no longer wanted, although it has never succeeded. */
  dropped(operation: string): void {
    this.#faults.delete(operation);
  }
}
