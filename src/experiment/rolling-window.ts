/** The latest values of a metric and their mean. */
export class RollingWindow {
  readonly #values: number[] = [];

  /** @param size most values that it holds; older ones are forgotten */
  constructor(readonly size: number) {}

  /** How many values it holds. */
  get samples(): number {
    return this.#values.length;
  }

  /** The mean of the values held, or `null` when there are none. */
  get mean(): number | null {
    if (this.#values.length === 0) return null;
    // Summed anew: a running sum gathers rounding errors over a long life.
    return this.#values.reduce((sum, value) => sum + value, 0) / this.#values.length;
  }

  /** Adds a value, forgetting the oldest when full. */
  push(value: number): void {
    this.#values.push(value);
    if (this.#values.length > this.size) this.#values.shift();
  }
}
