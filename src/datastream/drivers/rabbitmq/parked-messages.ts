/** How long a message whose delay is over may take to its queue, in ms: the broker counts it in neither meanwhile. */
const TRANSIT_MS = 250;

/** The messages that this process has sent to delay queues and that cannot be back yet. */
export class ParkedMessages {
  /** By queue and delay: when each is back, ms since 1970, oldest first. */
  readonly #back = new Map<string, Map<number, number[]>>();

  /** Notes one that was confirmed just now. @param delay in ms */
  add(queue: string, delay: number): void {
    const delays = this.#back.get(queue) ?? new Map<number, number[]>();
    this.#back.set(queue, delays);
    const times = prune(delays.get(delay) ?? []);
    times.push(Date.now() + delay + TRANSIT_MS);
    delays.set(delay, times);
  }

  /** How many of a queue there are; those whose delay is just over are counted, although they may be back. */
  count(queue: string): number {
    let count = 0;
    for (const [delay, times] of this.#back.get(queue) ?? []) {
      const left = prune(times);
      this.#back.get(queue)?.set(delay, left);
      count += left.length;
    }
    return count;
  }

  /** Forgets those of a queue that was deleted. */
  forget(queue: string): void {
    this.#back.delete(queue);
  }
}

/** Those of `times` that are not over. */
function prune(times: number[]): number[] {
  const now = Date.now();
  const first = times.findIndex((time) => time > now);
  if (first === -1) return [];
  return first === 0 ? times : times.slice(first);
}
