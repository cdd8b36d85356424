import { errorMessage } from '../core/errors.js';
import type { HubLogger } from '../core/hub-logger.js';
import type { DataStreamPlugin } from '../datastream/datastream.plugin.js';
import type { Champion } from './champion.js';
import type { ExperimentStatus, ResolvedExperiment } from './experiment.types.js';
import type { ExperimentTelemetry } from './experiment.telemetry.js';
import { PredictionStream } from './prediction-stream.js';
import type { Predictor } from './predictor.js';

/**
 * What runs by itself: prediction streams and schedules. At each tick it starts the streams whose experiment has got its
 * first champion (until then their rows wait in the queue) and looks at the schedules.
 */
export class ConsumerLoop {
  readonly #experiments: ResolvedExperiment[] = [];
  readonly #streams = new Map<string, PredictionStream>();
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #running = false;

  /** @param onTick looks at the schedule of an experiment */
  constructor(
    private readonly stream: DataStreamPlugin,
    private readonly champion: Champion,
    private readonly predictor: Predictor,
    private readonly logger: HubLogger,
    private readonly now: () => number,
    private readonly tick: number,
    private readonly telemetry: ExperimentTelemetry,
    private readonly onTick: (experiment: ResolvedExperiment) => Promise<void>,
  ) {}

  /** Adds an experiment; when the loop runs already, it is looked at at once. */
  add(experiment: ResolvedExperiment): void {
    if (experiment.enabled) this.#experiments.push(experiment);
    this.wake();
  }

  /** Takes the next turn now instead of at the next tick: something has changed. */
  wake(): void {
    if (!this.#running) return;
    clearTimeout(this.#timer);
    // Who wakes it is at work for somebody; the turns from here on are not.
    this.telemetry.apart(() => void this.#take().then(() => this.#plan()));
  }

  /** See {@link ExperimentStatus.consumer}. */
  state(name: string): ExperimentStatus['consumer'] {
    const state = this.#streams.get(name)?.state;
    if (state !== undefined && state !== 'off') return state;
    const streams = this.#experiments.find((experiment) => experiment.name === name)?.streams;
    return this.#running && streams !== undefined ? 'waiting' : 'off';
  }

  /** Takes the first turn and goes on by itself. Rejects when a queue cannot be created. Again: takes a turn now. */
  async start(): Promise<void> {
    if (this.#running) {
      await this.#take();
      return;
    }
    this.#running = true;
    try {
      for (const experiment of this.#experiments) await this.#prepare(experiment);
    } catch (error) {
      this.#running = false;
      throw error;
    }
    await this.#take();
    this.#plan();
  }

  /** Ends the loop and closes the streams; rows in hand are finished, or given back after 5 s. */
  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    await this.#turn;
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    await Promise.all(streams.map((stream) => stream.close()));
  }

  #plan(): void {
    if (!this.#running) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#take().then(() => this.#plan()), this.tick);
    // A process that has nothing else to do may end.
    this.#timer.unref();
  }

  #take(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#all());
    return this.#turn;
  }

  async #all(): Promise<void> {
    for (const experiment of this.#experiments) {
      if (!this.#running) return;
      try {
        await this.#startStream(experiment);
        await this.onTick(experiment);
      } catch (error) {
        this.logger.warn(`experiment ${experiment.name}: ${errorMessage(error)}`);
      }
    }
  }

  async #prepare(experiment: ResolvedExperiment): Promise<PredictionStream | undefined> {
    const { name, streams } = experiment;
    if (streams === undefined) return undefined;
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = new PredictionStream(
        experiment,
        streams,
        this.stream,
        this.predictor,
        this.logger,
        this.now,
        this.telemetry,
      );
      await stream.declare();
      this.#streams.set(name, stream);
    }
    return stream;
  }

  async #startStream(experiment: ResolvedExperiment): Promise<void> {
    const stream = await this.#prepare(experiment);
    if (stream === undefined || stream.state !== 'off') return;
    if ((await this.champion.find(experiment)) !== null) await stream.start();
  }
}
