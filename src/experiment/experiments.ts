import { errorMessage, HubError } from '../core/errors.js';
import { HubLogger } from '../core/hub-logger.js';
import type { JsonValue } from '../core/json.js';
import type { DataStreamPlugin } from '../datastream/datastream.plugin.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { Run } from '../mlops/mlops.types.js';
import type { CancelOutcome } from '../taskqueue/taskqueue.types.js';
import type { TaskQueuePlugin } from '../taskqueue/taskqueue.plugin.js';
import { Champion } from './champion.js';
import { Claims } from './claims.js';
import { ConsumerLoop } from './consumer-loop.js';
import { resolveExperiment } from './experiment.schema.js';
import { TAG } from './experiment.tags.js';
import { ExperimentTelemetry } from './experiment.telemetry.js';
import type {
  ExperimentDefinition,
  ExperimentStatus,
  FeedbackItem,
  FeedbackResult,
  ModelInfo,
  Prediction,
  ResolvedExperiment,
  Training,
  TrainOptions,
} from './experiment.types.js';
import { ExperimentStore, triggerOf, unknownExperiment } from './experiment-store.js';
import type { ExperimentsOptions } from './experiments.options.js';
import { FeedbackMonitor } from './feedback.js';
import { ModelFiles } from './model-files.js';
import { PredictionPayloads } from './prediction-payloads.js';
import { Predictor, type PredictOptions } from './predictor.js';
import { TaskCaller } from './task-caller.js';
import { Trainer, type StillWanted } from './trainer.js';
import { TrainingFinisher } from './training-finisher.js';
import { TrainingFollower } from './training-follower.js';
import { TrainingSubmitter } from './training-submitter.js';

/** How often a hub looks for trainings whose hub has died, in ms. */
const ADOPT_EVERY_MS = 15_000;

/**
 * Runs experiments on the three plugins: train, predict, judge, retrain, promote. It keeps no state of its own that a
 * restart would lose: runs, tags, params and the model registry hold it, and `recover()` goes on from there.
 *
 * Every method that names an experiment rejects with `NOT_FOUND` when it is not defined and with `CONFLICT` when its
 * `enabled` is false, beside the codes of the plugins that it uses.
 */
export class Experiments {
  readonly #definitions = new Map<string, ResolvedExperiment>();
  readonly #store: ExperimentStore;
  readonly #champion: Champion;
  readonly #predictor: Predictor;
  readonly #trainer: Trainer;
  readonly #feedback: FeedbackMonitor;
  readonly #consumers: ConsumerLoop;
  /** When the trainings of an experiment were last looked at, ms of `performance.now()`. */
  readonly #adoptedAt = new Map<string, number>();
  readonly #logger: HubLogger;
  readonly #now: () => number;

  constructor(mlops: MLOpsPlugin, stream: DataStreamPlugin, tasks: TaskQueuePlugin, options: ExperimentsOptions = {}) {
    const { workDir = '.experiment-hub/work', now = Date.now, tick = 5_000, logger = new HubLogger() } = options;
    const telemetry = new ExperimentTelemetry(options.telemetry);
    this.#logger = logger;
    this.#now = now;
    const claims = new Claims(mlops, now);
    this.#store = new ExperimentStore(mlops, claims, telemetry);
    this.#champion = new Champion(mlops, telemetry, now);
    const files = new ModelFiles(mlops, workDir);
    const caller = new TaskCaller(tasks);
    this.#predictor = new Predictor(
      this.#champion,
      files,
      new PredictionPayloads(mlops, this.#store),
      caller,
      telemetry,
    );
    const finisher = new TrainingFinisher(mlops, tasks, this.#store, this.#champion, files, caller, telemetry);
    const submitter = new TrainingSubmitter(mlops, tasks, files, now);
    const follower = new TrainingFollower(mlops, tasks, this.#store, claims, submitter, finisher, logger, now);
    this.#trainer = new Trainer(mlops, tasks, this.#store, claims, submitter, follower, telemetry, now, () =>
      this.#consumers.wake(),
    );
    this.#feedback = new FeedbackMonitor(mlops, this.#store, this.#champion, claims.hub, now, telemetry);
    this.#consumers = new ConsumerLoop(
      stream,
      this.#champion,
      this.#predictor,
      logger,
      now,
      tick,
      telemetry,
      (experiment) => this.#onTick(experiment),
    );
  }

  /**
   * Adds an experiment. `ALREADY_EXISTS` for a taken name, `CONFIG_INVALID` with every fault of the definition.
   * Nothing is created on a backend yet. After {@link startConsumers} its stream and schedule start by themselves; call it again to wait for that.
   */
  define(definition: ExperimentDefinition): void {
    const experiment = resolveExperiment(definition);
    if (this.#definitions.has(experiment.name)) {
      throw new HubError('ALREADY_EXISTS', `an experiment ${JSON.stringify(experiment.name)} is already defined.`);
    }
    this.#definitions.set(experiment.name, experiment);
    this.#consumers.add(experiment);
  }

  /** The names of all experiments, in the order of definition. */
  list(): string[] {
    return [...this.#definitions.keys()];
  }

  /** A definition with its defaults filled in; also of one that is not enabled. `NOT_FOUND`. */
  get(name: string): ResolvedExperiment {
    const experiment = this.#definitions.get(name);
    if (experiment === undefined) throw unknownExperiment(name, this.#definitions.keys());
    return experiment;
  }

  /**
   * Begins a training and resolves when its task is submitted; `done` tells how it ended. `CONFLICT` while another one
   * of the experiment is in flight, `INVALID_ARGUMENT` for a bad `options.triggerId`.
   */
  async train(name: string, options: TrainOptions = {}): Promise<Training> {
    return this.#trainer.begin(this.#enabled(name), 'manual', options);
  }

  /**
   * {@link train}, for an experiment that has a champion to be better than. `CONFLICT` when it has none.
   */
  async retrain(name: string, options: TrainOptions = {}): Promise<Training> {
    const experiment = this.#enabled(name);
    await this.#champion.require(experiment);
    return this.#trainer.begin(experiment, 'manual', options);
  }

  /** Cancels the training in flight, see `TaskQueuePlugin.cancel`; its run ends KILLED. `finished` when there is none. */
  async cancel(name: string): Promise<CancelOutcome> {
    return this.#trainer.cancel(this.#enabled(name));
  }

  /**
   * Predicts rows with the champion (or `options.version`), in one task. `CONFLICT` before there is a champion,
   * `TASK_FAILED`, `TIMEOUT`, and `PAYLOAD_INVALID` for rows that are too large or an answer that does not fit.
   * Never begins a training.
   */
  async predict(name: string, rows: JsonValue[], options: PredictOptions = {}): Promise<Prediction> {
    return this.#predictor.predict(this.#enabled(name), rows, options);
  }

  /**
   * Records what became of predictions, and begins a retrain when the policy says so. Resolves when the items are
   * stored. `CONFLICT` before there is a champion, `INVALID_ARGUMENT` for an item that cannot be judged.
   */
  async feedback(name: string, items: readonly FeedbackItem[]): Promise<FeedbackResult> {
    return this.#feedback.record(this.#enabled(name), items, (experiment, at, wanted) =>
      this.#quietly(experiment, 'policy', at, wanted),
    );
  }

  /** Makes the previous champion the champion again. `CONFLICT` when there is none to go back to. */
  async rollback(name: string): Promise<ModelInfo> {
    const { name: model, version } = await this.#champion.rollback(this.#enabled(name));
    return { name: model, version };
  }

  /** Makes a version the champion by hand, past the gate. `NOT_FOUND`. */
  async promote(name: string, version: string): Promise<ModelInfo> {
    const experiment = this.#enabled(name);
    const target = await this.#champion.version(experiment, version);
    const previous = (await this.#champion.find(experiment))?.version ?? null;
    const decision = { promoted: true, reason: 'by command', challengerScore: null, championScore: null };
    await this.#champion.apply(experiment, target, decision, { previous });
    return { name: target.name, version };
  }

  /** Champion, training in flight, rolling metric, last training and consumer of an experiment. */
  async status(name: string): Promise<ExperimentStatus> {
    const experiment = this.get(name);
    const { metric, enabled } = experiment;
    const trainings = await this.#store.trainings(name);
    const running = trainings.find((run) => run.status === 'RUNNING');
    const last = trainings.find((run) => run.status !== 'RUNNING');
    const champion = await this.#champion.find(experiment);
    const rolling = champion === null ? null : await this.#feedback.rolling(experiment);
    const score = champion?.tags[TAG.challengerScore];
    return {
      name,
      enabled,
      champion:
        champion === null
          ? null
          : {
              version: champion.version,
              promotedAt: champion.tags[TAG.promotedAt] ?? null,
              score: score === undefined ? null : Number(score),
            },
      inFlight:
        running === undefined
          ? null
          : { runId: running.runId, taskId: running.tags[TAG.taskId] ?? null, trigger: triggerOf(running) },
      rolling: rolling === null ? null : { metric, ...rolling },
      lastTraining:
        last === undefined
          ? null
          : {
              runId: last.runId,
              status: last.status,
              trigger: triggerOf(last),
              decision: last.tags[TAG.decision] ?? null,
            },
      consumer: this.#consumers.state(name),
    };
  }

  /**
   * Goes on with trainings that an earlier process left running: what has finished meanwhile is registered and judged,
   * what the task queue has lost ends FAILED. Resolves to them at once; their `done` tells how they end.
   */
  async recover(): Promise<Training[]> {
    const enabled = [...this.#definitions.values()].filter((experiment) => experiment.enabled);
    const found: Training[] = [];
    for (const experiment of enabled) found.push(...(await this.#trainer.adoptAll(experiment)));
    return found;
  }

  /**
   * Starts streams and schedules; a stream without a champion waits for the first one. When it resolves, the queues exist.
   * Idempotent; called again it starts what was defined meanwhile.
   */
  async startConsumers(): Promise<void> {
    await this.#consumers.start();
  }

  /** Stops streams and schedules, and waits up to 5 s for the rows in hand; the others come again. */
  async stopConsumers(): Promise<void> {
    await this.#consumers.stop();
  }

  /**
   * Stops everything: intake first, then trainings are waited for up to `timeout` ms (default 0). One that goes on
   * longer is left as it is, its task included, to the `recover()` of the next process.
   */
  async stop(timeout = 0): Promise<void> {
    await this.#consumers.stop();
    await this.#trainer.stop(timeout);
  }

  #enabled(name: string): ResolvedExperiment {
    const experiment = this.get(name);
    if (experiment.enabled) return experiment;
    throw new HubError('CONFLICT', `experiment ${JSON.stringify(name)} is switched off: set its "enabled" to true.`);
  }

  async #onTick(experiment: ResolvedExperiment): Promise<void> {
    const now = performance.now();
    if (now - (this.#adoptedAt.get(experiment.name) ?? now - ADOPT_EVERY_MS) >= ADOPT_EVERY_MS) {
      this.#adoptedAt.set(experiment.name, now);
      await this.#trainer.adoptAll(experiment);
    }
    await this.#scheduled(experiment);
  }

  async #scheduled(experiment: ResolvedExperiment): Promise<void> {
    const { schedule, name } = experiment;
    if (schedule === undefined || (await this.#champion.find(experiment)) === null) return;
    const isDue = (runs: readonly Run[]): boolean => {
      const latest = runs.find(({ lifecycleStage }) => lifecycleStage === 'active');
      return latest === undefined || this.#now() - latest.startTime >= schedule.every;
    };
    if (!isDue(await this.#store.trainings(name))) return;
    await this.#quietly(experiment, 'schedule', this.#now(), isDue);
  }

  /** A training that the hub itself begins: when another is quicker or the backend refuses, nobody's call fails. */
  async #quietly(
    experiment: ResolvedExperiment,
    reason: 'policy' | 'schedule',
    at: number,
    wanted: StillWanted,
  ): Promise<Training | null> {
    try {
      return await this.#trainer.begin(experiment, reason, { at }, wanted);
    } catch (error) {
      if (!HubError.is(error, 'CONFLICT', 'CLOSED')) {
        this.#logger.error(`retrain of ${experiment.name} by ${reason} did not begin: ${errorMessage(error)}`);
      }
      return null;
    }
  }
}
