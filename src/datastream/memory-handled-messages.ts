import { HubError } from '../core/errors.js';
import type { HandledMessages } from './idempotent-handler.js';

/** Remembers the ids handled last in the memory of this process; a restart forgets them all. */
export class MemoryHandledMessages implements HandledMessages {
  readonly #max: number;
  readonly #ids = new Set<string>();

  /** @param options.max how many ids are kept, from 1 on; the one not asked for longest goes first. Default 100 000. */
  constructor({ max = 100_000 }: { max?: number } = {}) {
    if (!Number.isInteger(max) || max < 1) {
      throw new HubError('INVALID_ARGUMENT', `max has to be an integer of at least 1, not ${String(max)}.`);
    }
    this.#max = max;
  }

  has(id: string): boolean {
    const known = this.#ids.delete(id);
    // At the end again: a Set keeps the order of insertion.
    if (known) this.#ids.add(id);
    return known;
  }

  add(id: string): void {
    this.#ids.delete(id);
    this.#ids.add(id);
    if (this.#ids.size <= this.#max) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      return;
    }
  }
}
