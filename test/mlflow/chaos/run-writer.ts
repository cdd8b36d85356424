import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { HubError } from '../../../src/core/errors.js';
import type { MLOpsPlugin } from '../../../src/mlops/index.js';
import type { LedgerLine } from '../../durability/ledger.js';
import { BATCH_POINTS, METRIC, valueAt } from './run-ledger.js';

/** Steps between two tags, and between two batches. */
const TAG_EVERY = 100;
const BATCH_EVERY = 500;
/** Pause after a run could not be created, in ms. */
const PAUSE = 200;

/** What a writer needs beside the plugin. */
export interface RunWriterOptions {
  experimentId: string;
  /** Points of {@link METRIC} in each run. */
  points: number;
  /** How many calls may be without an answer at once; 1 awaits each of them. */
  window: number;
  /** Gets a line for each write that was acknowledged. */
  report: (...line: LedgerLine) => void;
  /** Awaited before each step; for writers that have to be at some point when something happens. */
  before?: (step: number) => Promise<void> | undefined;
  /** Errors of log calls that are the weather and no fault. Default: none is. */
  mayReject?: (error: unknown) => boolean;
}

/** Starts a run, logs its points one call each with batches and tags between, and ends it. */
export async function writeRun(mlops: MLOpsPlugin, options: RunWriterOptions): Promise<void> {
  const { report, points, window, before } = options;
  const runId = await startedRun(mlops, options);
  const inFlight = new Set<Promise<void>>();
  const errors: unknown[] = [];
  const call = (written: Promise<void>, event: string, number: number): void => {
    const settled = written
      .then(
        () => report(event, runId, number),
        (error: unknown) => {
          if (options.mayReject?.(error) !== true) errors.push(error);
          if (event === 'point') report('rejected', runId, number);
        },
      )
      .finally(() => inFlight.delete(settled));
    inFlight.add(settled);
  };
  for (let step = 0; step < points; step += 1) {
    await before?.(step);
    // No timestamp: a point that is sent a second time with another one would be stored twice.
    call(mlops.logMetric(runId, METRIC, valueAt(step), { step }), 'point', step);
    if (step % TAG_EVERY === 0) call(mlops.setTag(runId, 'at', step), 'at', step);
    if (step % BATCH_EVERY === 0) call(writeBatch(mlops, runId, step), 'batch', step);
    while (inFlight.size >= window) await Promise.race(inFlight);
    if (errors.length > 0) throw errors[0];
  }
  report('ending', runId, points);
  // Not awaited before: the end has to queue behind the points by itself.
  call(mlops.endRun(runId), 'end', points);
  await Promise.all(inFlight);
  if (errors.length > 0) throw errors[0];
}

/** A new run, tried until there is one: while the server is away, none can be created. */
async function startedRun(mlops: MLOpsPlugin, { experimentId, report }: RunWriterOptions): Promise<string> {
  for (;;) {
    const marker = randomUUID();
    report('starting', marker);
    try {
      const { runId } = await mlops.startRun(experimentId, { tags: { marker } });
      report('run', runId, marker);
      return runId;
    } catch (error) {
      if (!HubError.is(error, 'UNAVAILABLE', 'UNAUTHORIZED')) throw error;
      await setTimeout(PAUSE);
    }
  }
}

async function writeBatch(mlops: MLOpsPlugin, runId: string, number: number): Promise<void> {
  const key = `batch ${number}`;
  const metrics = Array.from({ length: BATCH_POINTS }, (_, step) => ({ key, value: valueAt(step), step }));
  await mlops.logBatch(runId, { metrics, params: { [key]: number }, tags: { [key]: 'x' } });
}
