/** How often each of some things happened. */
export type Tally = Map<string, number>;

/** Notes that one happened once more. */
export function tally(counts: Tally, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/**
 * All of them as a text for people.
 * @param unit what follows each number, e.g. ` ms`
 */
export function listed(counts: Tally, unit = ''): string {
  return [...counts].map(([key, count]) => `${key} ${count}${unit}`).join(', ') || 'none';
}
