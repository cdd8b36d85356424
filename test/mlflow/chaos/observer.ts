import { setTimeout } from 'node:timers/promises';
import { METRIC, type RunLedger } from './run-ledger.js';
import type { ServerView } from './server-view.js';

/** Pause between two looks, in ms. */
const PAUSE = 50;

/**
 * Reads the server all the time, beside the driver, and notes what no reader may ever see: a gap in a history, a point
 * twice, a tag before the points that were logged before it, a run that is finished without its whole history.
 */
export class Observer {
  /** Looks that the server answered. */
  looks = 0;
  /** Of these, at runs that were finished. */
  finished = 0;
  readonly #faults: string[] = [];
  readonly #gaps: { runId: string; missing: number[]; found: string }[] = [];
  readonly #ends: { runId: string; steps: Set<number>; found: string }[] = [];
  #over = false;
  readonly #watching: Promise<void>;

  constructor(
    private readonly view: ServerView,
    private readonly ledger: RunLedger,
    private readonly random: () => number,
  ) {
    this.#watching = this.#watch();
  }

  /** Ends it and resolves to what it saw. */
  async stop(): Promise<string[]> {
    this.#over = true;
    await this.#watching;
    // Only now the ledger is whole: what an app reports can arrive after what the server shows.
    for (const { runId, steps, found } of this.#ends) {
      const expected = this.ledger.finishedPoints(runId);
      if (expected === undefined) this.#faults.push(`${found}: nobody has ended it`);
      this.#gap(runId, steps, expected ?? 0, found);
    }
    for (const { runId, missing, found } of this.#gaps) {
      // A point that was refused is no gap.
      const lost = missing.filter((step) => !this.ledger.wasRejected(runId, step));
      if (lost.length > 0) this.#faults.push(`${found}: ${lost.length} points are not there, e.g. step ${lost[0]}`);
    }
    return this.#faults;
  }

  async #watch(): Promise<void> {
    while (!this.#over) {
      const ids = this.ledger.runIds;
      const runId = ids[Math.floor(this.random() * ids.length)];
      // The server is away now and then.
      if (runId !== undefined) await this.#look(runId).catch(() => undefined);
      await setTimeout(PAUSE);
    }
  }

  async #look(runId: string): Promise<void> {
    // First the run, then the history: what the run promises has to be there already.
    const run = await this.view.run(runId);
    const points = await this.view.history(runId, METRIC);
    this.looks += 1;
    const steps = new Set(points.map(({ step }) => step));
    const at = `run ${runId}, ${run.status}, tag at ${run.tags.get('at')}, ${points.length} points`;
    if (steps.size !== points.length) this.#faults.push(`${at}: points twice`);
    if (run.status === 'FINISHED') {
      this.finished += 1;
      this.#ends.push({ runId, steps, found: at });
    }
    const last = Math.max(Math.max(-1, ...steps), Number(run.tags.get('at') ?? -1));
    this.#gap(runId, steps, last + 1, at);
  }

  #gap(runId: string, steps: ReadonlySet<number>, points: number, found: string): void {
    const missing = Array.from({ length: points }, (_, step) => step).filter((step) => !steps.has(step));
    if (missing.length > 0) this.#gaps.push({ runId, missing, found });
  }
}
