import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { HubError } from '../../src/core/errors.js';
import type { MLOpsPlugin } from '../../src/mlops/index.js';
import type { LedgerLine } from './ledger.js';
import { artifactText, MODEL } from './mlops-ledger.js';

/** What the writers need beside the plugin. */
export interface WriterOptions {
  /** Marks the runs of this process. */
  round: string;
  random: () => number;
  /** Gets a line for each write that was acknowledged. */
  report: (...line: LedgerLine) => void;
  /** Ends the writers; default: only their process does. */
  signal?: AbortSignal;
}

/** Logs runs, batches, model versions and artifacts side by side and without pause. */
export class MLOpsWriters {
  readonly #experimentId: string;

  private constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly options: WriterOptions,
    experimentId: string,
  ) {
    this.#experimentId = experimentId;
  }

  /** Resolves when the signal has fired and all writers have ended. */
  static async run(mlops: MLOpsPlugin, options: WriterOptions): Promise<void> {
    const writers = new MLOpsWriters(mlops, options, await mlops.ensureExperiment('written'));
    await Promise.all([writers.#runs(), writers.#runs(), writers.#batches(), writers.#models(), writers.#artifacts()]);
  }

  get #over(): boolean {
    return this.options.signal?.aborted === true;
  }

  async #start(): Promise<string> {
    const { runId } = await this.mlops.startRun(this.#experimentId, { runName: `round ${this.options.round}` });
    this.options.report('run', runId);
    return runId;
  }

  /** One run after the other, every write awaited. */
  async #runs(): Promise<void> {
    const { mlops, options } = this;
    const { random, report } = options;
    while (!this.#over) {
      const runId = await this.#start();
      for (let step = 0; step < 30; step += 1) {
        const [value, timestamp] = [random(), Date.now()];
        await mlops.logMetric(runId, 'loss', value, { step, timestamp });
        report('metric', runId, step, value, timestamp);
        if (step % 5 > 0) continue;
        await mlops.logParam(runId, `param ${step}`, value);
        report('param', runId, `param ${step}`, String(value));
        await mlops.setTag(runId, 'at', step);
        report('tag', runId, 'at', step);
      }
      await mlops.endRun(runId);
      report('end', runId);
    }
  }

  /** Batches, several at once; each has to be there as a whole or not at all. */
  async #batches(): Promise<void> {
    const runId = await this.#start();
    for (let first = 0; !this.#over; first += 5) {
      await Promise.all(Array.from({ length: 5 }, (_, index) => this.#batch(runId, first + index)));
    }
  }

  async #batch(runId: string, number: number): Promise<void> {
    const key = `batch ${number}`;
    const metrics = Array.from({ length: 60 }, (_, step) => ({ key, value: this.options.random(), step }));
    await this.mlops.logBatch(runId, { metrics, params: { [key]: number }, tags: { [key]: 'x' } });
    this.options.report('batch', runId, number);
  }

  /** New versions of one model; the alias follows. */
  async #models(): Promise<void> {
    const { mlops, options } = this;
    try {
      await mlops.createRegisteredModel(MODEL);
    } catch (error) {
      if (!HubError.is(error, 'ALREADY_EXISTS')) throw error;
    }
    while (!this.#over) {
      const { version } = await mlops.createModelVersion(MODEL, { source: `models/${options.round}` });
      options.report('version', version);
      options.report('moving', version);
      await mlops.setRegisteredModelAlias(MODEL, 'champion', version);
      options.report('alias', version);
    }
  }

  async #artifacts(): Promise<void> {
    const runId = await this.#start();
    for (let number = 0; !this.#over; number += 1) {
      await this.mlops.logStream(runId, Readable.from(pieces(artifactText(number))), `texts/${number}.txt`);
      this.options.report('artifact', runId, number);
    }
  }
}

/** The text in pieces that come one after the other, so that a kill can fall between two of them. */
async function* pieces(text: string): AsyncGenerator<Buffer> {
  const size = Math.ceil(text.length / 20);
  for (let start = 0; start < text.length; start += size) {
    yield Buffer.from(text.slice(start, start + size));
    await setImmediate();
  }
}
