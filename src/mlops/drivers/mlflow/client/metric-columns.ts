import type { Metric } from '../../../mlops.types.js';

/**
 * A page of a metric's history, sorted by step, timestamp and value, in three columns of 8 bytes a point instead of an
 * object each.
 */
export class MetricColumns {
  readonly length: number;
  readonly #steps: Float64Array;
  readonly #timestamps: Float64Array;
  readonly #values: Float64Array;

  constructor(points: readonly Metric[]) {
    const sorted = isSorted(points) ? points : [...points].sort(comparePoints);
    this.length = sorted.length;
    this.#steps = Float64Array.from(sorted, (point) => point.step);
    this.#timestamps = Float64Array.from(sorted, (point) => point.timestamp);
    this.#values = Float64Array.from(sorted, (point) => point.value);
  }

  /** The point at `index`, as one of the metric `key`. */
  at(index: number, key: string): Metric {
    return {
      key,
      value: this.#values[index] ?? NaN,
      timestamp: this.#timestamps[index] ?? 0,
      step: this.#steps[index] ?? 0,
    };
  }
}

/** By step, timestamp and value; NaN counts as 0, which is what the server's tables hold for it. */
export function comparePoints(a: Metric, b: Metric): number {
  if (a.step !== b.step) return a.step - b.step;
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp;
  const [x, y] = [Number.isNaN(a.value) ? 0 : a.value, Number.isNaN(b.value) ? 0 : b.value];
  // The difference of two great doubles would overflow.
  if (x !== y) return x < y ? -1 : 1;
  return Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value));
}

function isSorted(points: readonly Metric[]): boolean {
  for (let i = 1; i < points.length; i += 1) {
    const [a, b] = [points[i - 1], points[i]];
    if (a !== undefined && b !== undefined && comparePoints(a, b) > 0) return false;
  }
  return true;
}
