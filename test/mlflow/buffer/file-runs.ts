import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { HubError } from '../../../src/core/errors.js';
import type { RunWriter } from '../../../src/mlops/drivers/mlflow/buffer/run-writer.js';
import type { CheckedBatch } from '../../../src/mlops/mlops.validation.js';

/** Runs in a file that outlives the process: one line per request, `run step step …`. */
export class FileRuns implements RunWriter {
  /** Whether nobody is reached; some answers are lost at any time. */
  away = false;

  constructor(
    /** Descriptor of the file, open for appending. */
    readonly file: number,
    private readonly random: () => number,
  ) {}

  async logBatch(runId: string, { metrics }: CheckedBatch): Promise<void> {
    await setTimeout(this.random() * 3);
    if (this.away) throw new HubError('UNAVAILABLE', 'nobody is there');
    writeSync(this.file, `${runId} ${metrics.map(({ step }) => step).join(' ')}\n`);
    if (this.random() < 0.2) throw new HubError('UNAVAILABLE', 'the answer is lost');
  }

  logInputs(): Promise<void> {
    return Promise.resolve();
  }

  endRun(runId: string): Promise<void> {
    writeSync(this.file, `${runId} end\n`);
    return Promise.resolve();
  }
}
