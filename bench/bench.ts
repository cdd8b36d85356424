import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One printed result. `ratio` is ours / baseline for rates, baseline / ours for times: above 1 we are ahead. */
export interface BenchLine {
  name: string;
  unit: string;
  ours: number;
  /** The raw client's figure from the same run; `null` where there is nothing to compare with. */
  baseline: number | null;
  ratio: number | null;
}

/** A group of measurements, run by `npm run bench -- --only <name>`. */
export interface Bench {
  name: string;
  run(folder: string): Promise<BenchLine[]>;
}

/** A line for a rate (more is better). */
export function rate(name: string, unit: string, ours: number, baseline: number | null): BenchLine {
  return { name, unit, ours, baseline, ratio: baseline === null ? null : ours / baseline };
}

/** A line for a time (less is better). */
export function time(name: string, unit: string, ours: number, baseline: number | null): BenchLine {
  return { name, unit, ours, baseline, ratio: baseline === null ? null : baseline / ours };
}

/** ms that `work` takes. */
export async function elapsed(work: () => Promise<unknown> | unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/**
 * Runs both sides in turn, `rounds` times after one warm-up, and gives the median of each: the machine's speed drifts,
 * so neither side may have a phase of its own.
 */
export async function paired(
  ours: () => Promise<number>,
  baseline: () => Promise<number>,
  rounds = 5,
): Promise<{ ours: number; baseline: number }> {
  return alternating({ ours, baseline }, rounds);
}

/** As {@link paired}, for any number of sides. */
export async function alternating<Side extends string>(
  sides: Readonly<Record<Side, () => Promise<number>>>,
  rounds = 5,
): Promise<Record<Side, number>> {
  const names = Object.keys(sides) as Side[];
  const results = new Map(names.map((name): [Side, number[]] => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of names) {
      const figure = await sides[name]();
      if (round > 0) results.get(name)?.push(figure);
    }
  }
  return Object.fromEntries(names.map((name) => [name, percentile(results.get(name) ?? [], 50)])) as Record<
    Side,
    number
  >;
}

/** The p-th percentile of unsorted values. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((p / 100) * sorted.length))] ?? Number.NaN;
}

/** Runs `work` in a folder of its own, which is removed afterwards. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'hub-bench-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
