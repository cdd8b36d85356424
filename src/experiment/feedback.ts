import { isDeepStrictEqual } from 'node:util';
import { HubError } from '../core/errors.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { MetricInput, Run } from '../mlops/mlops.types.js';
import type { Champion } from './champion.js';
import { triggerOf, type ExperimentStore } from './experiment-store.js';
import type { FeedbackItem, FeedbackResult, ResolvedExperiment, Training } from './experiment.types.js';
import type { ExperimentTelemetry } from './experiment.telemetry.js';
import { FeedbackWindow, myItems } from './feedback-window.js';
import { decideRetrain, type RetrainFacts } from './retrain-policy.js';
import { Serial } from './serial.js';
import type { StillWanted } from './trainer.js';

/** Items of the rolling metric of an experiment without a policy. */
const WINDOW = 100;

/** Begins the retrain that a policy asks for; `null` when another hub or training was quicker, or it is no longer wanted. */
export type Retrain = (experiment: ResolvedExperiment, at: number, wanted: StillWanted) => Promise<Training | null>;

/**
 * Records labelled feedback and applies the retrain policy to it. Each version is judged by its own predictions alone:
 * a newly promoted model starts with an empty window, so what the old one did wrong never triggers against it.
 * The items lie in the control run's metric history, where every hub finds those of the others.
 */
export class FeedbackMonitor {
  readonly #windows = new Map<string, FeedbackWindow>();
  readonly #serial = new Serial();

  /** @param hub identity of this hub, unique for each process */
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly store: ExperimentStore,
    private readonly champion: Champion,
    private readonly hub: string,
    private readonly now: () => number,
    private readonly telemetry: ExperimentTelemetry,
  ) {}

  /**
   * Records items, in order, and begins at most one retrain. Resolves when they are stored. `CONFLICT` before there is a
   * champion, `INVALID_ARGUMENT` for an item with neither `value` nor `predicted` and `actual`.
   */
  async record(
    experiment: ResolvedExperiment,
    items: readonly FeedbackItem[],
    retrain: Retrain,
  ): Promise<FeedbackResult> {
    return this.telemetry.feedback(experiment, items.length, () => this.#record(experiment, items, retrain));
  }

  async #record(
    experiment: ResolvedExperiment,
    items: readonly FeedbackItem[],
    retrain: Retrain,
  ): Promise<FeedbackResult> {
    const values = items.map((item, index) => ({ ...item, value: valueOf(item, index), at: item.at ?? this.now() }));
    return this.#serial.run(experiment.name, async () => {
      const { version } = await this.champion.require(experiment);
      const runId = await this.store.controlRun(experiment.name);
      const window = await this.#window(experiment, version, runId);
      const numbers = new Map([[version, window.mine]]);
      const points: MetricInput[] = [];
      const own: { value: number; at: number }[] = [];
      for (const item of values) {
        const of = item.version ?? version;
        const number = (numbers.get(of) ?? (await this.#count(runId, of))) + 1;
        numbers.set(of, number);
        points.push({ key: myItems(of, this.hub), value: item.value, step: number, timestamp: item.at });
        if (of === version) own.push(item);
      }
      if (points.length > 0) await this.mlops.logBatch(runId, { metrics: points });
      const training = await this.#judge(experiment, window, own, retrain);
      await this.#logRolling(experiment, runId, window, own.at(-1)?.at);
      return { samples: window.samples, value: window.mean, training };
    });
  }

  /** The rolling metric of the champion, or `null` when there is no champion. */
  async rolling(experiment: ResolvedExperiment): Promise<{ value: number | null; samples: number } | null> {
    return this.#serial.run(experiment.name, async () => {
      const champion = await this.champion.find(experiment);
      if (champion === null) return null;
      const runId = await this.store.controlRun(experiment.name);
      const { mean, samples } = await this.#window(experiment, champion.version, runId);
      return { value: mean, samples };
    });
  }

  async #judge(
    experiment: ResolvedExperiment,
    window: FeedbackWindow,
    items: readonly { value: number; at: number }[],
    retrain: Retrain,
  ): Promise<Training | null> {
    const { policy, direction } = experiment;
    let trainings: Run[] | undefined;
    let training: Training | null = null;
    let asked = false;
    for (const { value, at } of items) {
      window.push(value, at);
      if (policy === undefined || asked) continue;
      const facts = { value: window.mean, samples: window.samples, at };
      const decide = (history: TrainingHistory): boolean =>
        decideRetrain(policy, direction, { ...facts, ...history }).retrain;
      // Most items are good enough; only for the others the backend is asked for the history.
      if (!decide(historyOf([]))) continue;
      trainings ??= await this.store.trainings(experiment.name);
      if (!decide(historyOf(trainings))) continue;
      asked = true;
      training = await retrain(experiment, at, async (all) => {
        // Another hub may have retrained meanwhile, and this window may be about its predecessor.
        const champion = await this.champion.findNow(experiment);
        return champion?.version === window.version && decide(historyOf(all));
      });
    }
    return training;
  }

  async #logRolling(experiment: ResolvedExperiment, runId: string, window: FeedbackWindow, at?: number): Promise<void> {
    const value = window.mean;
    if (at === undefined || value === null) return;
    await this.mlops.logMetric(runId, `rolling_${experiment.metric}`, value, { step: window.total, timestamp: at });
  }

  async #window({ name, policy }: ResolvedExperiment, version: string, runId: string): Promise<FeedbackWindow> {
    let window = this.#windows.get(name);
    if (window?.version !== version) {
      window = new FeedbackWindow(this.mlops, version, this.hub, policy?.window ?? WINDOW);
      this.#windows.set(name, window);
    }
    await window.refresh(runId);
    return window;
  }

  async #count(runId: string, version: string): Promise<number> {
    return (await this.mlops.getRun(runId)).metrics[myItems(version, this.hub)]?.step ?? 0;
  }
}

type TrainingHistory = Pick<RetrainFacts, 'inFlight' | 'trainings' | 'retrains'>;

function historyOf(runs: readonly Run[]): TrainingHistory {
  const trainings = runs.filter(({ lifecycleStage }) => lifecycleStage === 'active');
  const triggers = trainings.map(triggerOf);
  return {
    inFlight: trainings.some(({ status }) => status === 'RUNNING'),
    trainings: triggers.map(({ at }) => at),
    retrains: triggers.flatMap(({ reason, at }) => (reason === 'policy' ? [at] : [])),
  };
}

function valueOf({ value, predicted, actual }: FeedbackItem, index: number): number {
  if (value !== undefined && Number.isFinite(value)) return value;
  if (value === undefined && predicted !== undefined && actual !== undefined) {
    return isDeepStrictEqual(predicted, actual) ? 1 : 0;
  }
  throw new HubError('INVALID_ARGUMENT', `feedback item ${index} needs a finite "value", or "predicted" and "actual".`);
}
