import type { LoggerService } from '@nestjs/common';

/** Keeps everything that an application logs, at every level; give it to `Logger.overrideLogger` or to `NestFactory`. */
export class LogListener implements LoggerService {
  /** Level, then what was logged. */
  readonly lines: unknown[][] = [];
  readonly log = this.#at('log');
  readonly error = this.#at('error');
  readonly warn = this.#at('warn');
  readonly debug = this.#at('debug');
  readonly verbose = this.#at('verbose');
  readonly fatal = this.#at('fatal');

  /** The lines of some levels as texts: level, message, context. */
  texts(...levels: string[]): string[] {
    return this.lines.filter(([level]) => levels.includes(String(level))).map((line) => line.map(String).join(' '));
  }

  #at(level: string): (...line: unknown[]) => void {
    return (...line) => void this.lines.push([level, ...line]);
  }
}
