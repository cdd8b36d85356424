import { setTimeout as pause } from 'node:timers/promises';
import type { TaskQueuePlugin } from '../../../src/taskqueue/index.js';

/** From one look to the next, in ms; a look that takes longer does not keep the next one waiting. */
const PERIOD_MS = 100;
/** Most time of one look, in ms: the deadline of a health check, two of the probe, and as much again. */
const LOOK_MS = 10_000;

/** One look at the health; times in ms since 1970. */
export interface HealthSample {
  asked: number;
  answered: number;
  healthy: boolean;
  /** Whether Redis answered, before and after the look; `undefined` when it changed meanwhile. */
  there: boolean | undefined;
  /** Why it is down. */
  message: string;
}

/** Asks a plugin for its health all the time, and a probe of its own for the truth. */
export class HealthWatch {
  readonly #samples: HealthSample[] = [];
  readonly #looks = new Set<Promise<void>>();
  readonly #timer = setInterval(() => this.#begin(), PERIOD_MS);

  constructor(
    private readonly plugin: Pick<TaskQueuePlugin, 'healthCheck'>,
    /** Whether Redis answers where the plugin looks for it. */
    private readonly truth: () => Promise<boolean>,
  ) {}

  /** The looks so far, in their order. */
  get samples(): readonly HealthSample[] {
    return this.#samples.sort((one, other) => one.asked - other.asked);
  }

  /** Longest time in ms that Redis was away and health still said up. */
  get falseUp(): number {
    return this.#longest(false);
  }

  /** Longest time in ms that Redis was there and health said down. */
  get falseDown(): number {
    return this.#longest(true);
  }

  /** How many looks there were, how many said down, and at how many Redis was away. */
  get counts(): string {
    const down = this.samples.filter(({ healthy }) => !healthy).length;
    const away = this.samples.filter(({ there }) => there === false).length;
    return `${this.samples.length} looks, ${down} down, ${away} with Redis away`;
  }

  /** Waits for a look that begins from now on and says up. */
  async up(ms: number): Promise<void> {
    const from = Date.now();
    while (!this.#samples.some(({ asked, healthy }) => asked >= from && healthy)) {
      if (Date.now() > from + ms) {
        throw new Error(`health did not say up within ${ms} ms: ${JSON.stringify(this.samples.at(-1))}`);
      }
      await pause(20);
    }
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
    const asked = Date.now();
    const before = await this.truth();
    const { healthy, details } = await this.plugin.healthCheck();
    const there = before === (await this.truth()) ? before : undefined;
    const message = String(details['message'] ?? '');
    this.#samples.push({ asked, answered: Date.now(), healthy, there, message });
  }

  /** Longest time from when Redis was known to be there, or away, until an answer that says the opposite. */
  #longest(there: boolean): number {
    let since: number | undefined;
    let longest = 0;
    for (const sample of this.samples) {
      // The time of being down is that of the answers, since connections take a while to be there again.
      const counts = sample.there === there && (!there || !sample.healthy);
      since = counts ? (since ?? sample.asked) : undefined;
      if (since !== undefined && sample.healthy !== there) longest = Math.max(longest, sample.answered - since);
    }
    return longest;
  }
}
