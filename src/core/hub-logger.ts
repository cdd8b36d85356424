import { Logger } from '@nestjs/common';
import type { Redactor } from './redact.js';

/** Log levels, the least important first. */
export const HUB_LOG_LEVELS = ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'] as const;
/** One of {@link HUB_LOG_LEVELS}. */
export type HubLogLevel = (typeof HUB_LOG_LEVELS)[number];

/** The hub's own lines in the application's Nest log, from a level upwards. It never changes the application's levels. */
export class HubLogger {
  /** The least important level that is written. Default `log`. */
  level: HubLogLevel = 'log';
  readonly #logger = new Logger('ExperimentHub');
  readonly #redactors: Redactor[] = [];

  /** Hides the secrets of `redactor` in every further line. */
  hide(redactor: Redactor): void {
    this.#redactors.push(redactor);
  }

  /** `text` without the secrets that are hidden in its lines. */
  redact(text: string): string {
    return this.#redactors.reduce((rest, redactor) => redactor.text(rest), text);
  }

  debug(message: string): void {
    this.#write('debug', message);
  }

  log(message: string): void {
    this.#write('log', message);
  }

  warn(message: string): void {
    this.#write('warn', message);
  }

  error(message: string): void {
    this.#write('error', message);
  }

  #write(level: HubLogLevel, message: string): void {
    if (HUB_LOG_LEVELS.indexOf(level) < HUB_LOG_LEVELS.indexOf(this.level)) return;
    this.#logger[level](this.redact(message));
  }
}
