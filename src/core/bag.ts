/**
 * A few things that come and go quickly. A Set would do, but V8 gives a Set a new table every few of them, and what an old
 * table named outlives it until the next full collection: with thousands of tasks a second that is most of what the
 * collector does. The order is not kept, and taking one out looks through them.
 */
export class Bag<T> implements Iterable<T> {
  readonly #items: T[] = [];

  /** How many there are. */
  get size(): number {
    return this.#items.length;
  }

  /** Puts `item` in; once for each call. */
  add(item: T): void {
    this.#items.push(item);
  }

  /** Takes `item` out; nothing when it is not there. */
  delete(item: T): void {
    const at = this.#items.lastIndexOf(item);
    if (at < 0) return;
    const last = this.#items.pop() as T;
    if (at < this.#items.length) this.#items[at] = last;
  }

  /** Takes everything out. */
  clear(): void {
    this.#items.length = 0;
  }

  /** What is in it now; changes in between do not count. */
  [Symbol.iterator](): Iterator<T> {
    return [...this.#items].values();
  }
}
