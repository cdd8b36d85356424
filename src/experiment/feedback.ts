import { isDeepStrictEqual } from 'node:util';
import { HubError } from '../core/errors.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { MetricInput, Run } from '../mlops/mlops.types.js';
import type { Champion } from './champion.js';
import { triggerOf, type ExperimentStore } from './experiment-store.js';
import type { FeedbackItem, FeedbackResult, ResolvedExperiment, Training } from './experiment.types.js';
import { decideRetrain } from './retrain-policy.js';
import { RollingWindow } from './rolling-window.js';
import { Serial } from './serial.js';

/** Metric of the control run that holds the feedback on one version: step = number of the item, value = its value. */
const itemsOf = (version: string): string => `feedback/v${version}`;

interface Judged {
  version: string;
  window: RollingWindow;
  /** Items recorded for the version so far. */
  count: number;
}

/** Begins the retrain that a policy asks for; `null` when another hub or training was quicker. */
export type Retrain = (experiment: ResolvedExperiment, at: number) => Promise<Training | null>;

/**
 * Records labelled feedback and applies the retrain policy to it. Each version is judged by its own predictions alone:
 * a newly promoted model starts with an empty window, so what the old one did wrong never triggers against it.
 * The items lie in the control run's metric history, from where the window is rebuilt after a restart. Feedback of one
 * experiment has to come to one hub at a time: a second one does not see what the first counts in memory.
 */
export class FeedbackMonitor {
  readonly #judged = new Map<string, Judged>();
  readonly #serial = new Serial();

  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly store: ExperimentStore,
    private readonly champion: Champion,
    private readonly now: () => number,
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
    const values = items.map((item, index) => ({ ...item, value: valueOf(item, index), at: item.at ?? this.now() }));
    return this.#serial.run(experiment.name, async () => {
      const { version } = await this.champion.require(experiment);
      const judged = await this.#load(experiment, version);
      const runId = await this.store.controlRun(experiment.name);
      const others = new Map<string, number>();
      const points: MetricInput[] = [];
      const own: { value: number; at: number }[] = [];
      for (const item of values) {
        const of = item.version ?? version;
        const before = of === version ? judged.count + own.length : (others.get(of) ?? (await this.#count(runId, of)));
        points.push({ key: itemsOf(of), value: item.value, step: before + 1, timestamp: item.at });
        if (of === version) own.push(item);
        else others.set(of, before + 1);
      }
      if (points.length > 0) await this.mlops.logBatch(runId, { metrics: points });
      const training = await this.#judge(experiment, judged, own, retrain);
      await this.#logRolling(experiment, runId, judged, own.at(-1)?.at);
      return { samples: judged.window.samples, value: judged.window.mean, training };
    });
  }

  /** The rolling metric of the champion, or `null` when there is no champion. */
  async rolling(experiment: ResolvedExperiment): Promise<{ value: number | null; samples: number } | null> {
    return this.#serial.run(experiment.name, async () => {
      const champion = await this.champion.find(experiment);
      if (champion === null) return null;
      const { window } = await this.#load(experiment, champion.version);
      return { value: window.mean, samples: window.samples };
    });
  }

  async #judge(
    experiment: ResolvedExperiment,
    judged: Judged,
    items: readonly { value: number; at: number }[],
    retrain: Retrain,
  ): Promise<Training | null> {
    const { policy, direction } = experiment;
    let trainings: Run[] | undefined;
    let training: Training | null = null;
    let asked = false;
    for (const { value, at } of items) {
      judged.window.push(value);
      judged.count++;
      if (policy === undefined || asked) continue;
      const facts = { value: judged.window.mean, samples: judged.window.samples, at };
      const history = { inFlight: false, trainings: [] as number[], retrains: [] as number[] };
      // Most items are good enough; only for the others the backend is asked for the history.
      if (!decideRetrain(policy, direction, { ...facts, ...history }).retrain) continue;
      trainings ??= await this.store.trainings(experiment.name);
      history.inFlight = trainings.some((run) => run.status === 'RUNNING');
      history.trainings = trainings.map((run) => triggerOf(run).at);
      history.retrains = trainings
        .map(triggerOf)
        .flatMap((trigger) => (trigger.reason === 'policy' ? [trigger.at] : []));
      if (!decideRetrain(policy, direction, { ...facts, ...history }).retrain) continue;
      asked = true;
      training = await retrain(experiment, at);
    }
    return training;
  }

  async #logRolling(experiment: ResolvedExperiment, runId: string, judged: Judged, at?: number): Promise<void> {
    const value = judged.window.mean;
    if (at === undefined || value === null) return;
    await this.mlops.logMetric(runId, `rolling_${experiment.metric}`, value, { step: judged.count, timestamp: at });
  }

  async #load({ name, policy }: ResolvedExperiment, version: string): Promise<Judged> {
    const known = this.#judged.get(name);
    if (known !== undefined && known.version === version) return known;
    const judged: Judged = { version, window: new RollingWindow(policy?.window ?? 100), count: 0 };
    for await (const { value } of this.mlops.getMetricHistory(await this.store.controlRun(name), itemsOf(version))) {
      judged.window.push(value);
      judged.count++;
    }
    this.#judged.set(name, judged);
    return judged;
  }

  async #count(runId: string, version: string): Promise<number> {
    return (await this.mlops.getRun(runId)).metrics[itemsOf(version)]?.step ?? 0;
  }
}

function valueOf({ value, predicted, actual }: FeedbackItem, index: number): number {
  if (value !== undefined && Number.isFinite(value)) return value;
  if (value === undefined && predicted !== undefined && actual !== undefined) {
    return isDeepStrictEqual(predicted, actual) ? 1 : 0;
  }
  throw new HubError('INVALID_ARGUMENT', `feedback item ${index} needs a finite "value", or "predicted" and "actual".`);
}
