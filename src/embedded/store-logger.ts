import { Logger } from '@nestjs/common';
import { Redactor } from '../core/redact.js';

/** A local driver's lines in the application's Nest log, without the secrets of its configuration. */
export class StoreLogger {
  readonly #logger: Logger;
  #redactor = new Redactor();

  /** @param context the name in front of each line */
  constructor(context: string) {
    this.#logger = new Logger(context);
  }

  /** Hides the secrets of `redactor` in every further line; until it is called, only credentials in URLs are hidden. */
  hide(redactor: Redactor): void {
    this.#redactor = redactor;
  }

  debug(message: string): void {
    this.#logger.debug(this.#redactor.text(message));
  }

  log(message: string): void {
    this.#logger.log(this.#redactor.text(message));
  }

  warn(message: string): void {
    this.#logger.warn(this.#redactor.text(message));
  }

  error(message: string): void {
    this.#logger.error(this.#redactor.text(message));
  }
}
