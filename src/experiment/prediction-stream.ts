import { setMaxListeners } from 'node:events';
import { abortError, MAX_TIMER_MS, sleep, withDeadline } from '../core/deadline.js';
import { errorMessage, HubError } from '../core/errors.js';
import type { HubLogger } from '../core/hub-logger.js';
import type { DataStreamPlugin } from '../datastream/datastream.plugin.js';
import type { Message, Subscription } from '../datastream/datastream.types.js';
import type { ExperimentTelemetry } from './experiment.telemetry.js';
import type { ExperimentStreams, PredictionMessage, ResolvedExperiment } from './experiment.types.js';
import { PredictionBatcher } from './prediction-batcher.js';
import type { Predictor } from './predictor.js';

/** First and longest wait before a row is tried again that failed through no fault of its own, in ms. */
const WAIT_MS = 200;
const WAIT_MAX_MS = 10_000;
/** How long closing waits for rows whose prediction is under way, in ms. */
const CLOSE_GRACE_MS = 5_000;
/** Most rows in hand: what AMQP's prefetch can say. */
const MAX_HELD = 65_535;
/** How often the log says that rows are held, in ms. */
const TELL_EVERY_MS = 60_000;

/**
 * Predicts what arrives in an experiment's input queue and sends the predictions to its output queue. An input is acked
 * when its prediction is confirmed, so a crash in between gives the prediction a second time, with the same message id,
 * and never loses it. A row that cannot be predicted becomes a dead letter of the input queue; one that cannot be
 * predicted *now* (a backend is away, no worker is free, the output queue is full, the champion was removed) is held
 * until it can.
 */
export class PredictionStream {
  #subscription: Subscription | undefined;
  #closing = new AbortController();
  #abandoning = new AbortController();
  #toldAt = -Infinity;

  constructor(
    private readonly experiment: ResolvedExperiment,
    private readonly streams: Required<ExperimentStreams>,
    private readonly stream: DataStreamPlugin,
    private readonly predictor: Predictor,
    private readonly logger: HubLogger,
    private readonly now: () => number,
    private readonly telemetry: ExperimentTelemetry,
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
    this.#abandoning = new AbortController();
    const { signal: abandoned } = this.#abandoning;
    // Every row in hand listens; that is no leak.
    setMaxListeners(0, this.#closing.signal, abandoned);
    const { input, batchSize, concurrency, maxWait, retry } = this.streams;
    const held = Math.min(batchSize * concurrency, MAX_HELD);
    const batcher = new PredictionBatcher(
      (rows, contexts) => this.predictor.predictEach(this.experiment, rows, contexts, { signal: abandoned }),
      batchSize,
      maxWait,
    );
    this.#subscription = await this.stream.subscribe(
      input,
      (message, { signal }) => this.#handle(message, batcher, signal),
      {
        concurrency: held,
        prefetch: held,
        retry,
        name: `experiment ${this.experiment.name}`,
      },
    );
  }

  /** Takes no further rows, and waits up to 5 s for those whose prediction is under way; the others come again. */
  async close(): Promise<void> {
    // A row that is held would hold up the shutdown.
    this.#closing.abort();
    const grace = setTimeout(() => this.#abandoning.abort(), CLOSE_GRACE_MS);
    try {
      await this.#subscription?.close();
    } finally {
      clearTimeout(grace);
    }
    this.#subscription = undefined;
  }

  async #handle(message: Message, batcher: PredictionBatcher, signal: AbortSignal): Promise<void> {
    const { payload, messageId, correlationId, headers } = message;
    if (payload instanceof Uint8Array) {
      throw new HubError('PAYLOAD_INVALID', 'the row is bytes; a row has to be JSON.');
    }
    const { model, prediction } = await this.#held(signal, () => batcher.add(payload, this.telemetry.context()));
    const out: PredictionMessage = {
      experiment: this.experiment.name,
      model: model.name,
      version: model.version,
      prediction,
      predictedAt: this.now(),
    };
    const kept = Object.entries(headers).filter(([name]) => !name.startsWith('x-hub-'));
    const own = this.telemetry.withoutContext(Object.fromEntries(kept));
    const ids = { messageId, correlationId: correlationId ?? messageId };
    await this.#held(signal, () => this.stream.sendData(this.streams.output, out, { ...ids, headers: own }));
  }

  async #held<T>(signal: AbortSignal, step: () => Promise<T>): Promise<T> {
    // Looked at one by one: Node keeps a little of each AbortSignal.any for as long as its sources live.
    const closing = this.#closing.signal;
    const abandoned = this.#abandoning.signal;
    for (let wait = WAIT_MS; ; wait = Math.min(WAIT_MAX_MS, wait * 2)) {
      try {
        // Not every backend's call can be aborted; the row must not wait for one that cannot.
        return await withDeadline(step(), MAX_TIMER_MS, undefined, abandoned);
      } catch (error) {
        if (!isPassing(error)) throw error;
        // Not the row's fault: told as an abort, which uses up none of its attempts.
        if (signal.aborted || closing.aborted) throw abortError(closing);
        this.#tellHolding(error);
        await sleep(wait, closing);
      }
    }
  }

  #tellHolding(error: unknown): void {
    if (performance.now() - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = performance.now();
    this.logger.warn(`experiment ${this.experiment.name}: rows are held and tried again. ${errorMessage(error)}`);
  }
}

/** Whether a failure says nothing about the row: a backend is away, something is missing or full, or no worker is free. */
function isPassing(error: unknown): boolean {
  if (HubError.is(error, 'UNAVAILABLE', 'CONFLICT')) return true;
  return HubError.is(error, 'TIMEOUT') && error.details['state'] === 'PENDING';
}
