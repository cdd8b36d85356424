import { setTimeout as sleep } from 'node:timers/promises';
import { HubError } from '../../../src/core/errors.js';
import type { RunWriter } from '../../../src/mlops/drivers/mlflow/buffer/run-writer.js';
import type { DatasetInput, FinalRunStatus } from '../../../src/mlops/mlops.types.js';
import type { CheckedBatch } from '../../../src/mlops/mlops.validation.js';

/** What a scripted run holds. */
export interface ScriptedRun {
  /** Every point once, in the order of arrival, as `key step timestamp value`. */
  points: Set<string>;
  params: Map<string, string>;
  tags: Map<string, string>;
  inputs: string[];
  status: string | undefined;
  /** How many points were there when the run was ended first. */
  pointsAtEnd: number | undefined;
}

/** A request that is about to be handled. */
export interface ScriptedRequest {
  runId: string;
  number: number;
  items: number;
}

/** Runs in memory with the rules of an MLflow server, and with faults on demand. */
export class ScriptedRuns implements RunWriter {
  readonly runs = new Map<string, ScriptedRun>();
  readonly requests: ScriptedRequest[] = [];
  /** Runs that were deleted. */
  readonly deleted = new Set<string>();
  /** How long each request takes, in ms. */
  delay = 0;
  /** Most requests at the same time, in all and per run. */
  peak = 0;
  peakPerRun = 0;
  /** An error for a request, instead of its effect or `after` it. */
  fault: (request: ScriptedRequest) => { error: unknown; after?: boolean } | undefined = () => undefined;
  readonly #active = new Map<string, number>();

  /** Requests that are being handled. */
  get active(): number {
    return [...this.#active.values()].reduce((sum, count) => sum + count, 0);
  }

  /** From now on nobody is reached. */
  goAway(): void {
    this.fault = () => ({ error: new HubError('UNAVAILABLE', 'connect ECONNREFUSED') });
  }

  comeBack(): void {
    this.fault = () => undefined;
  }

  run(runId: string): ScriptedRun {
    let run = this.runs.get(runId);
    if (run === undefined) {
      const empty = { points: new Set<string>(), params: new Map(), tags: new Map(), inputs: [] };
      run = { ...empty, status: undefined, pointsAtEnd: undefined };
      this.runs.set(runId, run);
    }
    return run;
  }

  logBatch(runId: string, batch: CheckedBatch): Promise<void> {
    const { metrics, params, tags } = batch;
    const items = metrics.length + params.length + tags.length;
    return this.#request(runId, items, () => {
      if (metrics.length > 1_000 || params.length > 100 || tags.length > 100 || items > 1_000 || items === 0) {
        throw new HubError('INVALID_ARGUMENT', 'a request outside the limits');
      }
      const text = JSON.stringify({ metrics, params, tags });
      if (Buffer.byteLength(text) > 1_000_000) throw new HubError('INVALID_ARGUMENT', 'a request above 1 MB');
      const keys = params.map(([key]) => key);
      if (new Set(keys).size < keys.length) throw new HubError('INVALID_ARGUMENT', 'duplicate param keys');
      if (/"bad/.test(text)) throw new HubError('INVALID_ARGUMENT', 'a bad item');
      const run = this.run(runId);
      for (const [key, value] of params) {
        if ((run.params.get(key) ?? value) !== value) throw new HubError('CONFLICT', `param ${key} was ${value}`);
      }
      for (const [key, value] of params) run.params.set(key, value);
      for (const { key, step, timestamp, value } of metrics) run.points.add(`${key} ${step} ${timestamp} ${value}`);
      for (const [key, value] of tags) run.tags.set(key, value);
    });
  }

  logInputs(runId: string, datasets: readonly DatasetInput[]): Promise<void> {
    return this.#request(runId, 1, () => void this.run(runId).inputs.push(...datasets.map(({ name }) => name)));
  }

  endRun(runId: string, status: FinalRunStatus): Promise<void> {
    return this.#request(runId, 1, () => {
      const run = this.run(runId);
      run.status = status;
      run.pointsAtEnd ??= run.points.size;
    });
  }

  async #request(runId: string, items: number, effect: () => void): Promise<void> {
    const request = { runId, number: this.requests.length, items };
    this.requests.push(request);
    const active = (this.#active.get(runId) ?? 0) + 1;
    this.#active.set(runId, active);
    this.peakPerRun = Math.max(this.peakPerRun, active);
    this.peak = Math.max(this.peak, this.active);
    try {
      await sleep(this.delay);
      const fault = this.fault(request);
      if (fault?.after === false || (fault !== undefined && fault.after === undefined)) throw fault.error;
      if (this.deleted.has(runId)) throw new HubError('NOT_FOUND', `run ${runId} does not exist`);
      effect();
      if (fault !== undefined) throw fault.error;
    } finally {
      this.#active.set(runId, (this.#active.get(runId) ?? 1) - 1);
    }
  }
}

/** A batch of one point; value and timestamp follow from the step. */
export function point(step: number, key = 'loss'): CheckedBatch {
  return { metrics: [{ key, value: step / 2, timestamp: 1_000 + step, step }], params: [], tags: [] };
}

/** As {@link ScriptedRun.points} holds it. */
export function pointText(step: number, key = 'loss'): string {
  return `${key} ${step} ${1_000 + step} ${step / 2}`;
}

export function param(key: string, value: string): CheckedBatch {
  return { metrics: [], params: [[key, value]], tags: [] };
}

export function tag(key: string, value: string): CheckedBatch {
  return { metrics: [], params: [], tags: [[key, value]] };
}
