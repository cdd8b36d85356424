import type { RunnerSlots, TaskRunner } from '../../runner/run-outcome.js';

/** A runner whose slots are handed out in order of asking. */
export class RunSlots<Runner extends TaskRunner = TaskRunner> implements RunnerSlots {
  active = 0;
  readonly #line: (() => void)[] = [];

  constructor(
    readonly name: string,
    readonly runner: Runner,
    readonly concurrency: number,
  ) {}

  /** Resolves when there is a slot; give it back with {@link free}. */
  async take(): Promise<void> {
    if (this.active >= this.concurrency) await new Promise<void>((resolve) => this.#line.push(resolve));
    else this.active += 1;
  }

  free(): void {
    const next = this.#line.shift();
    // A slot that is passed on stays taken.
    if (next === undefined) this.active -= 1;
    else next();
  }
}
