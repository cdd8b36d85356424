import type { ResultListener } from './result-backend.js';
import type { ResultMeta } from './result-meta.js';

/** Who follows which task, within this process; the order is that in which they were looked at last. */
export class ResultListeners {
  readonly #listeners = new Map<string, Set<ResultListener>>();

  /** Tasks that are followed. */
  get size(): number {
    return this.#listeners.size;
  }

  /** Whether it is the first listener of the task. */
  add(taskId: string, listener: ResultListener): boolean {
    const known = this.#listeners.get(taskId);
    if (known !== undefined) known.add(listener);
    else this.#listeners.set(taskId, new Set([listener]));
    return known === undefined;
  }

  /** Whether it was the last listener of the task. */
  remove(taskId: string, listener: ResultListener): boolean {
    const known = this.#listeners.get(taskId);
    if (known === undefined || !known.delete(listener) || known.size > 0) return false;
    return this.#listeners.delete(taskId);
  }

  /** Whether anybody follows the task. */
  has(taskId: string): boolean {
    return this.#listeners.has(taskId);
  }

  tell(taskId: string, meta: ResultMeta | undefined): void {
    for (const listener of [...(this.#listeners.get(taskId) ?? [])]) listener(meta);
  }

  /** Has everybody look again. */
  tellAll(): void {
    for (const taskId of [...this.#listeners.keys()]) this.tell(taskId, undefined);
  }

  /** The next ids to be looked at, at most `count`; they go to the end of the line. */
  next(count: number): string[] {
    const ids = [...this.#take(count)];
    for (const id of ids) {
      const listeners = this.#listeners.get(id);
      if (listeners === undefined) continue;
      this.#listeners.delete(id);
      this.#listeners.set(id, listeners);
    }
    return ids;
  }

  *#take(count: number): Generator<string> {
    let left = count;
    for (const id of this.#listeners.keys()) {
      if ((left -= 1) < 0) return;
      yield id;
    }
  }
}
