import { setTimeout as pause } from 'node:timers/promises';
import type { TaskQueuePlugin } from '../../src/taskqueue/index.js';

/** Most time of one look, in ms: the deadline of a health check, two of the probe, and as much again. */
const LOOK_MS = 10_000;

/** What is true of the moment. */
export interface HealthTruth {
  /** What is away, with commas between; empty when nothing is. */
  away: string;
  /** Whether workers certainly run tasks now. */
  working: boolean;
}

/** One look at the health; times in ms since 1970. */
export interface HealthSample {
  asked: number;
  answered: number;
  healthy: boolean;
  /** What was away before and after the look; `undefined` when it changed meanwhile. */
  away: string | undefined;
  working: boolean;
  /** Why it is down. */
  message: string;
}

/** How a {@link HealthWatch} looks. */
export interface HealthWatchOptions {
  /** From one look to the next, in ms; one that takes longer does not keep the next one waiting. Default 250. */
  period?: number;
}

/** Asks a plugin for its health all the time, and a probe of its own for the truth. */
export class HealthWatch {
  readonly #samples: HealthSample[] = [];
  readonly #looks = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly plugin: Pick<TaskQueuePlugin, 'healthCheck'>,
    private readonly truth: () => Promise<HealthTruth>,
    { period = 250 }: HealthWatchOptions = {},
  ) {
    this.#timer = setInterval(() => this.#begin(), period);
  }

  /** The looks so far, in their order. */
  get samples(): readonly HealthSample[] {
    return this.#samples.sort((one, other) => one.asked - other.asked);
  }

  /** Longest time in ms that something was away and health still said up. */
  get falseUp(): number {
    return this.#longest(({ away }) => away !== undefined && away !== '', true);
  }

  /** Longest time in ms that everything was there and workers ran tasks, and health said down. */
  get falseDown(): number {
    return this.#longest(({ away, working }) => away === '' && working, false);
  }

  /** How many looks there were, how many said down, and at how many something was away. */
  get counts(): string {
    const down = this.samples.filter(({ healthy }) => !healthy).length;
    const away = this.samples.filter((sample) => (sample.away ?? '') !== '').length;
    return `${this.samples.length} looks, ${down} down, ${away} with something away`;
  }

  /**
   * Waits for a look that begins from now on and says up; resolves to how long that took, in ms.
   * @param after for the error
   */
  async up(ms: number, after = ''): Promise<number> {
    const from = Date.now();
    while (!this.#samples.some(({ asked, healthy }) => asked >= from && healthy)) {
      if (Date.now() > from + ms) {
        throw new Error(`health did not say up within ${ms} ms ${after}: ${JSON.stringify(this.samples.slice(-40))}`);
      }
      await pause(20);
    }
    return Date.now() - from;
  }

  /** Ends it. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const late = pause(LOOK_MS, true, { ref: false });
    if (await Promise.race([Promise.all(this.#looks).then(() => false), late])) {
      throw new Error(`a health check took longer than ${LOOK_MS} ms`);
    }
  }

  #begin(): void {
    const look = this.#look().finally(() => this.#looks.delete(look));
    this.#looks.add(look);
  }

  async #look(): Promise<void> {
    const before = await this.truth();
    const asked = Date.now();
    const { healthy, details } = await this.plugin.healthCheck();
    const answered = Date.now();
    const after = await this.truth();
    const away = before.away === after.away ? before.away : undefined;
    const message = String(details['message'] ?? '');
    this.#samples.push({ asked, answered, healthy, away, working: before.working && after.working, message });
  }

  /** Longest time from the begin of a row of looks at which `counts` is so, until the last of them that said `healthy`. */
  #longest(counts: (sample: HealthSample) => boolean, healthy: boolean): number {
    let since: number | undefined;
    let longest = 0;
    for (const sample of this.samples) {
      // What is true ends a row, where it is about being down: connections take a while to be there again.
      const belongs = counts(sample) && (healthy || !sample.healthy);
      since = belongs ? (since ?? sample.asked) : undefined;
      if (since !== undefined && sample.healthy === healthy) longest = Math.max(longest, sample.answered - since);
    }
    return longest;
  }
}
