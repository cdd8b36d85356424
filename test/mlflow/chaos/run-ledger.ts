import type { LedgerLine } from '../../durability/ledger.js';
import type { SeenRun, ServerView } from './server-view.js';

/** The metric that is logged point by point. */
export const METRIC = 'loss';
/** Points of one batch. */
export const BATCH_POINTS = 60;

/** The value that belongs to a step. */
export function valueAt(step: number): number {
  return step / 7;
}

/** What one run was told to hold. */
interface KnownRun {
  acknowledged: Set<number>;
  rejected: Set<number>;
  batches: Set<number>;
  /** Greatest acknowledged value of the tag `at`. */
  at: number;
  /** Points of {@link METRIC} logged before `endRun` was called. */
  ending?: number;
  ended: boolean;
}

/**
 * What the writers were told is stored. Lines: `starting marker`, `run id marker`, `point id step`, `rejected id step`,
 * `batch id number`, `at id step`, `ending id points`, `end id`.
 */
export class RunLedger {
  readonly #runs = new Map<string, KnownRun>();
  readonly #markers = new Set<string>();
  /** Acknowledged points of all runs. */
  points = 0;
  /** Points of all runs that were rejected. */
  rejected = 0;

  /** Ids of the runs that are known. */
  get runIds(): string[] {
    return [...this.#runs.keys()];
  }

  /** Takes in what a writer reports. */
  add([event, first = '', second = '']: LedgerLine): void {
    if (event === 'starting') return void this.#markers.add(String(first));
    const run = this.#run(String(first));
    if (event === 'point') {
      run.acknowledged.add(Number(second));
      this.points += 1;
    }
    if (event === 'rejected') {
      run.rejected.add(Number(second));
      this.rejected += 1;
    }
    if (event === 'batch') run.batches.add(Number(second));
    if (event === 'at') run.at = Math.max(run.at, Number(second));
    if (event === 'ending') run.ending = Number(second);
    if (event === 'end') run.ended = true;
  }

  /** Points that a run has when it is finished, or `undefined` when nobody has asked for its end. */
  finishedPoints(runId: string): number | undefined {
    return this.#runs.get(runId)?.ending;
  }

  /** Whether the point was refused, so that nobody may expect it. */
  wasRejected(runId: string, step: number): boolean {
    return this.#runs.get(runId)?.rejected.has(step) === true;
  }

  /** What is missing, different or doubled on the server. */
  async faults(view: ServerView, experimentId: string): Promise<string[]> {
    const faults: string[] = [];
    for (const [runId, known] of this.#runs) {
      for (const fault of await runFaults(view, runId, known)) faults.push(`run ${runId}: ${fault}`);
    }
    const found = new Map<string, number>();
    for (const { runId, tags } of await view.runs(experimentId)) {
      const marker = tags.get('marker') ?? '';
      if (!this.#markers.has(marker)) faults.push(`run ${runId} is unknown: marker ${marker}`);
      found.set(marker, (found.get(marker) ?? 0) + 1);
    }
    for (const [marker, times] of found) if (times > 1) faults.push(`${times} runs instead of one: marker ${marker}`);
    return faults;
  }

  #run(runId: string): KnownRun {
    const empty = { acknowledged: new Set<number>(), rejected: new Set<number>(), batches: new Set<number>() };
    const known = this.#runs.get(runId) ?? { ...empty, at: -1, ended: false };
    this.#runs.set(runId, known);
    return known;
  }
}

async function runFaults(view: ServerView, runId: string, known: KnownRun): Promise<string[]> {
  const faults: string[] = [];
  const run = await view.run(runId);
  if (known.ended && run.status !== 'FINISHED') faults.push(`is ${run.status}`);
  const seen = new Set<number>();
  for (const { step, value } of await view.history(runId, METRIC)) {
    if (seen.has(step)) faults.push(`step ${step} is doubled`);
    if (value !== valueAt(step)) faults.push(`step ${step} is ${value}, not ${valueAt(step)}`);
    seen.add(step);
  }
  const missing = [...known.acknowledged].filter((step) => !seen.has(step));
  if (missing.length > 0) faults.push(`${missing.length} acknowledged points are missing, e.g. step ${missing[0]}`);
  const last = Math.max(...seen);
  if (seen.size > 0 && run.latest.get(METRIC) !== last) faults.push(`latest ${run.latest.get(METRIC)}, not ${last}`);
  if (known.at >= 0 && !(Number(run.tags.get('at')) >= known.at)) {
    faults.push(`tag at: ${run.tags.get('at')}, not ${known.at}`);
  }
  return [...faults, ...(await batchFaults(view, run, known))];
}

/**
 * A batch that was acknowledged is there as a whole. One that was not can be torn when server and app both die: MLflow
 * commits the metrics, params and tags of a request one after the other.
 */
async function batchFaults(view: ServerView, run: SeenRun, known: KnownRun): Promise<string[]> {
  const faults: string[] = [];
  for (const number of known.batches) {
    const key = `batch ${number}`;
    const points = (await view.history(run.runId, key)).length;
    const whole = points === BATCH_POINTS && run.params.has(key) && run.tags.has(key);
    if (!whole) faults.push(`${key} is torn: ${points} points, param ${run.params.get(key)}, tag ${run.tags.get(key)}`);
  }
  return faults;
}
