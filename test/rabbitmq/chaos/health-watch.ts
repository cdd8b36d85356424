import { setTimeout as pause } from 'node:timers/promises';
import type { DataStreamPlugin } from '../../../src/datastream/index.js';
import type { Witness } from './witness.js';

/** From one look to the next, in ms. */
const PERIOD_MS = 100;
/** Most time of one health check, in ms. */
const CHECK_MS = 1_000;

/** One look at the health. */
export interface HealthSample {
  /** ms of `performance.now()` */
  at: number;
  healthy: boolean;
  degraded: boolean;
  /** Why it is down, or what blocks it. */
  message: string;
  /** Whether its consumers were attached, as the broker said before and after; `undefined` when that is not certain. */
  attached: boolean | undefined;
}

/** Asks a plugin for its health all the time, and the broker for the truth. */
export class HealthWatch {
  readonly samples: HealthSample[] = [];
  /** Longest time in ms that the plugin was not attached and health still said up. */
  falseUp = 0;
  /** Longest time in ms that the plugin was attached and health said down. */
  falseDown = 0;
  /** Whether the network between plugin and broker is known to be dead, whatever the broker says. */
  severed = false;
  #detachedSince: number | undefined;
  #wrongSince: number | undefined;
  #over = false;
  readonly #watching: Promise<void>;

  /** @param queue has exactly one subscription, of this plugin, when all is well */
  constructor(
    private readonly plugin: DataStreamPlugin,
    private readonly queue: string,
    private readonly witness: Pick<Witness, 'consumers'>,
  ) {
    this.#watching = this.#watch();
  }

  /** How many looks said up, up and degraded, and down. */
  get counts(): string {
    const down = this.samples.filter(({ healthy }) => !healthy).length;
    const degraded = this.samples.filter((sample) => sample.degraded).length;
    return `${this.samples.length} looks, ${down} down, ${degraded} degraded`;
  }

  /** Waits for a look that begins from now on and fits. */
  async saw(fits: (sample: HealthSample) => boolean, what: string, ms = 20_000): Promise<HealthSample> {
    const from = performance.now();
    while (performance.now() < from + ms) {
      const sample = this.samples.find((one) => one.at >= from && fits(one));
      if (sample !== undefined) return sample;
      await pause(20);
    }
    throw new Error(`health did not say within ${ms} ms: ${what}; last ${JSON.stringify(this.samples.at(-1))}`);
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
      const rest = PERIOD_MS - (performance.now() - began);
      await pause(Math.max(1, rest));
    }
  }

  async #look(): Promise<void> {
    const asked = performance.now();
    const before = await this.#attached();
    // From the first moment at which it is known.
    if (before === false) this.#detachedSince ??= asked;
    else this.#detachedSince = undefined;
    const at = performance.now();
    const { healthy, details } = await this.plugin.healthCheck(CHECK_MS);
    const answered = performance.now();
    const after = await this.#attached();
    const attached = before === after ? before : undefined;
    const degraded = details['degraded'] === true;
    const message = String(details['message'] ?? details['blocked'] ?? '');
    this.samples.push({ at, healthy, degraded, message, attached });
    if (healthy && attached === false) {
      this.falseUp = Math.max(this.falseUp, answered - (this.#detachedSince ?? answered));
    }
    if (!healthy && attached === true) {
      this.#wrongSince ??= asked;
      this.falseDown = Math.max(this.falseDown, answered - this.#wrongSince);
    } else {
      this.#wrongSince = undefined;
    }
  }

  async #attached(): Promise<boolean | undefined> {
    if (this.severed) return false;
    const consumers = await this.witness.consumers(this.queue);
    if (consumers === undefined) return undefined;
    return consumers !== 'away' && consumers > 0;
  }
}
