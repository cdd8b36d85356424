import { errorMessage, HubError } from '../core/errors.js';
import type { JsonValue } from '../core/json.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { ModelVersion, Run } from '../mlops/mlops.types.js';
import type { TaskQueuePlugin } from '../taskqueue/taskqueue.plugin.js';
import { decisionOf, type Champion } from './champion.js';
import type { ExperimentStore } from './experiment-store.js';
import type { ExperimentTelemetry } from './experiment.telemetry.js';
import { MODEL_PATH, TAG } from './experiment.tags.js';
import type { PromotionDecision, ResolvedExperiment, TrainingOutcome } from './experiment.types.js';
import type { ModelFiles } from './model-files.js';
import { decidePromotion } from './promotion-gate.js';
import type { TaskCaller } from './task-caller.js';
import { parseEvaluateResult, parseProgress, parseTrainResult } from './task-contract.js';
import type { EvaluateKwargs, TrainResult, TrainingRequest } from './task-contract.js';

/**
 * Turns the result of a train task into a finished run: metrics, artifacts, a model version, the promotion gate. The
 * hub that has claimed the training does this; every step can be repeated, so a hub that takes over after a crash
 * neither loses nor doubles anything.
 */
export class TrainingFinisher {
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly tasks: TaskQueuePlugin,
    private readonly store: ExperimentStore,
    private readonly champion: Champion,
    private readonly files: ModelFiles,
    private readonly caller: TaskCaller,
    private readonly telemetry: ExperimentTelemetry,
  ) {}

  /** Finishes a training with the result of its task. `PAYLOAD_INVALID` for a result that does not fit the contract. */
  async finish(
    experiment: ResolvedExperiment,
    runId: string,
    taskId: string,
    result: JsonValue,
    signal: AbortSignal,
  ): Promise<TrainingOutcome> {
    const trained = parseTrainResult(result, experiment.tasks.train);
    const run = await this.#log(runId, taskId, trained);
    const known = await this.#registered(experiment, runId);
    if (known === null) await this.files.store(runId, trained.model);
    const version = known ?? (await this.champion.register(experiment, runId, `runs:/${runId}/${MODEL_PATH}`));
    await this.mlops.setTag(runId, TAG.modelVersion, version.version);
    const decision = await this.#decide(experiment, runId, version, signal);
    await this.mlops.setTags(runId, {
      [TAG.decision]: decision.promoted ? 'promoted' : 'refused',
      [TAG.decisionReason]: decision.reason,
    });
    await this.mlops.endRun(runId, 'FINISHED');
    this.telemetry.ended(experiment.name, run, 'FINISHED');
    await this.discard(runId);
    return { runId, status: 'FINISHED', version: version.version, decision, error: null };
  }

  /** Removes what a training left on the hub's file system. */
  async discard(runId: string): Promise<void> {
    await this.files.removeOutput(runId);
  }

  /** The outcome of a run that has ended. */
  async outcomeOf(experiment: ResolvedExperiment, run: Run): Promise<TrainingOutcome> {
    const number = run.tags[TAG.modelVersion];
    const version = number === undefined ? null : await this.champion.version(experiment, number);
    return {
      runId: run.runId,
      status: run.status === 'SCHEDULED' ? 'RUNNING' : run.status,
      version: number ?? null,
      decision: version === null ? null : decisionOf(version),
      error: run.tags[TAG.error] ?? null,
    };
  }

  /** Resolves to the run as it was before. */
  async #log(runId: string, taskId: string, { metrics = {}, params = {}, tags = {} }: TrainResult): Promise<Run> {
    const { finishedAt, progress } = await this.tasks.getStatus(taskId);
    const step = parseProgress(progress?.data ?? null)?.step ?? 0;
    const run = await this.mlops.getRun(runId);
    const { endTime, startTime } = run;
    // The time of the result and not of this call: a point that is logged again has to be equal to be stored once.
    const timestamp = finishedAt ?? endTime ?? startTime;
    await this.mlops.logBatch(runId, {
      metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, step, timestamp })),
      params,
      tags,
    });
    return run;
  }

  async #registered(experiment: ResolvedExperiment, runId: string): Promise<ModelVersion | null> {
    const { tags } = await this.mlops.getRun(runId);
    const number = tags[TAG.modelVersion];
    return number === undefined ? null : this.champion.version(experiment, number);
  }

  async #decide(
    experiment: ResolvedExperiment,
    runId: string,
    version: ModelVersion,
    signal: AbortSignal,
  ): Promise<PromotionDecision> {
    const request = await this.store.loadRequest(await this.mlops.getRun(runId));
    const made = decisionOf(version);
    if (made !== null) {
      // Tagged by a hub that died before it moved the alias.
      if (made.promoted) await this.champion.moveTo(experiment, version.version);
      return made;
    }
    const current = await this.champion.findNow(experiment);
    const { mode, minImprovement } = experiment.promotion;
    let scores: { challenger: number; champion: number } | null = null;
    let evaluationError: string | null = null;
    // With `always` the scores decide nothing, but tell how the versions compare; in the other modes nobody asked for them.
    const scored = mode === 'gate' || mode === 'always';
    if (current !== null && experiment.tasks.evaluate !== undefined && scored) {
      try {
        scores = await this.#score(experiment, runId, request, version, current, signal);
      } catch (error) {
        // The model exists and is kept; only what cannot be compared is not promoted. A fault of the backend is another
        // matter: the step is repeated.
        if (!HubError.is(error, 'TASK_FAILED', 'TASK_REVOKED', 'TIMEOUT', 'PAYLOAD_INVALID', 'RESULT_EXPIRED'))
          throw error;
        evaluationError = errorMessage(error);
      }
    }
    const decision = decidePromotion({
      mode,
      minImprovement,
      direction: experiment.direction,
      metric: experiment.metric,
      champion: current?.version ?? null,
      challengerScore: scores?.challenger ?? null,
      championScore: scores?.champion ?? null,
      evaluationError,
    });
    await this.champion.apply(experiment, version, decision, {
      trigger: request.trigger,
      previous: current?.version ?? null,
    });
    return decision;
  }

  /** Both models in one task, so that they are scored on the same rows. */
  async #score(
    experiment: ResolvedExperiment,
    runId: string,
    { trigger, params, data }: TrainingRequest,
    challenger: ModelVersion,
    champion: ModelVersion,
    signal: AbortSignal,
  ): Promise<{ challenger: number; champion: number }> {
    const { name, metric, tasks, timeouts } = experiment;
    const task = tasks.evaluate ?? '';
    const models = [
      await this.files.reference(challenger, experiment),
      await this.files.reference(champion, experiment),
    ];
    const kwargs: EvaluateKwargs = { experiment: name, runId, trigger: { ...trigger }, params, data, metric, models };
    const result = await this.caller.call(experiment, task, kwargs, { timeout: timeouts.evaluate, signal });
    const [first = Number.NaN, second = Number.NaN] = parseEvaluateResult(result, models.length, task);
    await this.mlops.setTags(runId, { [TAG.challengerScore]: first, [TAG.championScore]: second });
    return { challenger: first, champion: second };
  }
}
