import { Logger } from '@nestjs/common';

/** The log of this process while it is open, and what nobody has caught. */
export class ChaosLog {
  /** Level and text of each line. */
  readonly lines: string[] = [];
  /** Rejections that nobody handled. */
  readonly unhandled: string[] = [];
  readonly #onUnhandled = (reason: unknown): void => void this.unhandled.push(String(reason));

  constructor() {
    const write =
      (level: string) =>
      (message: unknown): void =>
        void this.lines.push(`${level} ${String(message)}`);
    const [log, error, warn, debug, verbose] = ['log', 'error', 'warn', 'debug', 'verbose'].map(write);
    Logger.overrideLogger({ log, error, warn, debug, verbose } as Parameters<typeof Logger.overrideLogger>[0]);
    process.on('unhandledRejection', this.#onUnhandled);
  }

  /** How many lines match. */
  count(text: RegExp): number {
    return this.lines.filter((line) => text.test(line)).length;
  }

  /** How often a connection was lost. */
  get lost(): number {
    return this.count(/^warn the connection ".*" to \S+ is lost/);
  }

  /** Ends it. */
  close(): void {
    process.off('unhandledRejection', this.#onUnhandled);
    Logger.overrideLogger(true);
  }
}
