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

  /** Takes a slot that is free; give it back with {@link free}. */
  tryTake(): boolean {
    if (this.active >= this.concurrency) return false;
    this.active += 1;
    return true;
  }

  /** Resolves when there is a slot; give it back with {@link free}. */
  async take(): Promise<void> {
    if (!this.tryTake()) await new Promise<void>((resolve) => this.#line.push(resolve));
  }

  free(): void {
    const next = this.#line.shift();
    // A slot that is passed on stays taken.
    if (next === undefined) this.active -= 1;
    else next();
  }
}
