import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { TaskRegistration } from '../../runner/run-outcome.js';

/** The task names that this process can run. */
export class TaskRegistry {
  readonly #registrations = new Map<string, TaskRegistration>();

  constructor(private readonly source: HubErrorOptions) {}

  /** Registers names, all or none. Throws `ALREADY_EXISTS`. */
  register(registrations: readonly TaskRegistration[]): void {
    const taken = registrations.filter(({ name }) => this.#registrations.has(name)).map(({ name }) => name);
    if (taken.length > 0) {
      throw new HubError(
        'ALREADY_EXISTS',
        `already registered as a task: ${taken.join(', ')}. Names have to be unique.`,
        this.source,
      );
    }
    for (const registration of registrations) this.#registrations.set(registration.name, registration);
  }

  get(name: string): TaskRegistration | undefined {
    return this.#registrations.get(name);
  }

  get names(): string[] {
    return [...this.#registrations.keys()];
  }

  /** Most tasks that can run at once, of all that are registered. */
  get slots(): number {
    const slots = new Set([...this.#registrations.values()].map((entry) => entry.slots));
    return [...slots].reduce((sum, { concurrency }) => sum + concurrency, 0);
  }
}
