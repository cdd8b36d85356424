import type { HubLogger } from '../core/hub-logger.js';
import type { Telemetry } from '../core/telemetry.js';

/** Options of {@link Experiments}. */
export interface ExperimentsOptions {
  /**
   * Folder for the models' files on the hub's file system; workers that share it read models from there. Everything in
   * it can be fetched again. Default `.experiment-hub/work`.
   */
  workDir?: string;
  /** The clock, ms since 1970. Default `Date.now`. */
  now?: () => number;
  /** How often schedules are looked at, and how often a stream without a champion looks for one, in ms. Default 5000. */
  tick?: number;
  /** Where background work writes to. Default: a logger of its own. */
  logger?: HubLogger;
  /** What is told of the work. Default: nothing. */
  telemetry?: Telemetry;
}
