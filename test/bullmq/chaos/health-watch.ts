import { setTimeout as pause } from 'node:timers/promises';
import type { TaskQueuePlugin } from '../../../src/taskqueue/index.js';

/** From one look to the next, in ms. */
const PERIOD_MS = 100;

/** One look at the health, at a time in ms since 1970. */
export interface HealthSample {
  at: number;
  healthy: boolean;
  /** Whether Redis answered, before and after the look; `undefined` when it changed meanwhile. */
  there: boolean | undefined;
  /** Why it is down. */
  message: string;
}

/** Asks a plugin for its health all the time, and a probe of its own for the truth. */
export class HealthWatch {
  readonly samples: HealthSample[] = [];
  /** Longest time in ms that Redis was away and health still said up. */
  falseUp = 0;
  /** Longest time in ms that Redis was there and health said down. */
  falseDown = 0;
  #awaySince: number | undefined;
  #wrongSince: number | undefined;
  #over = false;
  readonly #watching: Promise<void>;

  constructor(
    private readonly plugin: Pick<TaskQueuePlugin, 'healthCheck'>,
    /** Whether Redis answers where the plugin looks for it. */
    private readonly truth: () => Promise<boolean>,
  ) {
    this.#watching = this.#watch();
  }

  /** How many looks there were, how many said down, and at how many Redis was away. */
  get counts(): string {
    const down = this.samples.filter(({ healthy }) => !healthy).length;
    const away = this.samples.filter(({ there }) => there === false).length;
    return `${this.samples.length} looks, ${down} down, ${away} with Redis away`;
  }

  /** The looks since then at which Redis was away. */
  awaySince(at: number): HealthSample[] {
    return this.samples.filter((sample) => sample.at >= at && sample.there === false);
  }

  /** Waits for a look that begins from now on and says up. */
  async up(ms: number): Promise<void> {
    const from = Date.now();
    while (!this.samples.some(({ at, healthy }) => at >= from && healthy)) {
      if (Date.now() > from + ms) {
        throw new Error(`health did not say up within ${ms} ms: ${JSON.stringify(this.samples.at(-1))}`);
      }
      await pause(20);
    }
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#over = true;
    await this.#watching;
  }

  async #watch(): Promise<void> {
    while (!this.#over) {
      const began = performance.now();
      await this.#look();
      await pause(Math.max(1, PERIOD_MS - (performance.now() - began)));
    }
  }

  async #look(): Promise<void> {
    const asked = performance.now();
    const before = await this.truth();
    // From the first moment at which it is known.
    if (before) this.#awaySince = undefined;
    else this.#awaySince ??= asked;
    const at = Date.now();
    const { healthy, details } = await this.plugin.healthCheck();
    const answered = performance.now();
    const after = await this.truth();
    const there = before === after ? before : undefined;
    this.samples.push({ at, healthy, there, message: String(details['message'] ?? '') });
    if (healthy && there === false) {
      this.falseUp = Math.max(this.falseUp, answered - (this.#awaySince ?? answered));
    }
    if (!healthy && there === true) {
      this.#wrongSince ??= asked;
      this.falseDown = Math.max(this.falseDown, answered - this.#wrongSince);
    } else {
      this.#wrongSince = undefined;
    }
  }
}
