import { sleep } from '../core/deadline.js';
import { HubError } from '../core/errors.js';
import type { DataStreamPlugin } from '../datastream/datastream.plugin.js';
import type { Message, Subscription } from '../datastream/datastream.types.js';
import type { ExperimentStreams, PredictionMessage, ResolvedExperiment } from './experiment.types.js';
import { PredictionBatcher } from './prediction-batcher.js';
import type { Predictor } from './predictor.js';

/** First and longest wait before a row is tried again that failed through no fault of its own, in ms. */
const WAIT_MS = 200;
const WAIT_MAX_MS = 10_000;

/**
 * Predicts what arrives in an experiment's input queue and sends the predictions to its output queue. An input is acked
 * when its prediction is confirmed, so a crash in between gives the prediction a second time, with the same message id,
 * and never loses it. A row that cannot be predicted becomes a dead letter of the input queue; one that cannot be
 * predicted *now* (a backend is away, the output queue is full, the champion was removed) is held until it can.
 */
export class PredictionStream {
  #subscription: Subscription | undefined;
  #closing = new AbortController();

  constructor(
    private readonly experiment: ResolvedExperiment,
    private readonly streams: Required<ExperimentStreams>,
    private readonly stream: DataStreamPlugin,
    private readonly predictor: Predictor,
    private readonly now: () => number,
  ) {}

  /** `off` until started. */
  get state(): 'running' | 'paused' | 'off' {
    const state = this.#subscription?.state ?? 'closed';
    return state === 'closed' ? 'off' : state;
  }

  /** Creates the queues when missing, so that rows can be sent before anybody consumes them. */
  async declare(): Promise<void> {
    for (const queue of [this.streams.input, this.streams.output]) {
      await this.stream.createQueue(queue).catch((error: unknown) => {
        // It exists with options of the application's own, which are none of our business.
        if (!HubError.is(error, 'CONFLICT')) throw error;
      });
    }
  }

  /** Starts consuming. */
  async start(): Promise<void> {
    if (this.#subscription !== undefined) return;
    this.#closing = new AbortController();
    const { input, batchSize, maxWait, retry } = this.streams;
    const batcher = new PredictionBatcher(
      (rows) => this.predictor.predictEach(this.experiment, rows),
      batchSize,
      maxWait,
    );
    this.#subscription = await this.stream.subscribe(
      input,
      (message, { signal }) => this.#handle(message, batcher, signal),
      {
        concurrency: batchSize,
        prefetch: batchSize,
        retry,
        name: `experiment ${this.experiment.name}`,
      },
    );
  }

  /** Takes no further rows, and waits for those in hand. */
  async close(): Promise<void> {
    // A row that is held would hold up the shutdown; it comes again by the retry policy, with one try used up.
    this.#closing.abort();
    await this.#subscription?.close();
    this.#subscription = undefined;
  }

  async #handle(message: Message, batcher: PredictionBatcher, signal: AbortSignal): Promise<void> {
    const { payload, messageId, correlationId, headers } = message;
    if (payload instanceof Uint8Array) {
      throw new HubError('PAYLOAD_INVALID', 'the row is bytes; a row has to be JSON.');
    }
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    const { model, prediction } = await this.#held(ended, () => batcher.add(payload));
    const out: PredictionMessage = {
      experiment: this.experiment.name,
      model: model.name,
      version: model.version,
      prediction,
      predictedAt: this.now(),
    };
    const own = Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('x-hub-')));
    const ids = { messageId, correlationId: correlationId ?? messageId };
    await this.#held(ended, () => this.stream.sendData(this.streams.output, out, { ...ids, headers: own }));
  }

  async #held<T>(ended: AbortSignal, step: () => Promise<T>): Promise<T> {
    for (let wait = WAIT_MS; ; wait = Math.min(WAIT_MAX_MS, wait * 2)) {
      try {
        return await step();
      } catch (error) {
        if (!HubError.is(error, 'UNAVAILABLE', 'CONFLICT') || ended.aborted) throw error;
        await sleep(wait, ended);
      }
    }
  }
}
