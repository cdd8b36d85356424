import { HubError } from '../core/errors.js';
import type { JsonObject, JsonValue } from '../core/json.js';
import type { Champion } from './champion.js';
import type { ExperimentTelemetry } from './experiment.telemetry.js';
import type { Prediction, ResolvedExperiment } from './experiment.types.js';
import type { ModelFiles } from './model-files.js';
import type { PredictionPayloads } from './prediction-payloads.js';
import type { TaskCaller } from './task-caller.js';
import { parsePredictResult, type PredictKwargs } from './task-contract.js';

/** Options of one prediction. */
export interface PredictOptions {
  /** ms, waiting in the queue included. Default: the experiment's `timeouts.predict`. */
  timeout?: number;
  /** Predict with this version instead of the champion. */
  version?: string;
  signal?: AbortSignal;
}

/** Predicts rows with the champion, by the predict task. */
export class Predictor {
  constructor(
    private readonly champion: Champion,
    private readonly files: ModelFiles,
    private readonly payloads: PredictionPayloads,
    private readonly caller: TaskCaller,
    private readonly telemetry: ExperimentTelemetry,
  ) {}

  /**
   * Predicts all rows in one task. `CONFLICT` before there is a champion, `TASK_FAILED` when the task fails, `TIMEOUT`,
   * `PAYLOAD_INVALID` for an answer that does not fit the rows.
   */
  predict(experiment: ResolvedExperiment, rows: JsonValue[], options: PredictOptions = {}): Promise<Prediction> {
    return this.telemetry.predict(experiment, rows.length, [], () => this.#together(experiment, rows, options));
  }

  /**
   * As {@link predict}, but when the task fails it halves the rows and tries again, so that a row that makes it fail ends
   * among `errors` and the others are predicted.
   * @param contexts headers with the trace contexts of the rows
   */
  predictEach(
    experiment: ResolvedExperiment,
    rows: JsonValue[],
    contexts: readonly JsonObject[],
    options: PredictOptions = {},
  ): Promise<Prediction> {
    return this.telemetry.predict(experiment, rows.length, contexts, () => this.#each(experiment, rows, options));
  }

  async #together(experiment: ResolvedExperiment, rows: JsonValue[], options: PredictOptions): Promise<Prediction> {
    const { version, timeout = experiment.timeouts.predict, signal } = options;
    const model = await (version === undefined
      ? this.champion.require(experiment)
      : this.champion.version(experiment, version));
    const { name, tasks } = experiment;
    const answer = { model: { name: model.name, version: model.version } };
    if (rows.length === 0) return { ...answer, predictions: [], errors: {} };
    const reference = await this.files.reference(model, experiment);
    const placed = await this.payloads.place(experiment, rows);
    try {
      const kwargs: PredictKwargs = { experiment: name, model: reference, ...placed.kwargs };
      const result = await this.caller.call(experiment, tasks.predict, kwargs, {
        timeout,
        ...(signal === undefined ? {} : { signal }),
      });
      return { ...answer, ...parsePredictResult(await placed.read(result), rows.length, tasks.predict) };
    } finally {
      await placed.discard();
    }
  }

  async #each(experiment: ResolvedExperiment, rows: JsonValue[], options: PredictOptions): Promise<Prediction> {
    try {
      return await this.#together(experiment, rows, options);
    } catch (error) {
      if (!HubError.is(error, 'TASK_FAILED', 'PAYLOAD_INVALID') || rows.length < 2) throw error;
    }
    const middle = Math.ceil(rows.length / 2);
    const merged: JsonValue[] = [];
    const errors: Record<string, string> = {};
    let model: Prediction['model'] | undefined;
    for (const [offset, part] of [[0, rows.slice(0, middle)] as const, [middle, rows.slice(middle)] as const]) {
      const answer = await this.#each(experiment, part, options).catch((error: unknown): Prediction | null => {
        if (part.length > 1 || !HubError.is(error, 'TASK_FAILED', 'PAYLOAD_INVALID')) throw error;
        errors[String(offset)] = error.message;
        return null;
      });
      merged.push(...(answer?.predictions ?? [null]));
      model ??= answer?.model;
      for (const [row, why] of Object.entries(answer?.errors ?? {})) errors[String(Number(row) + offset)] = why;
    }
    const { model: name } = experiment;
    return { model: model ?? { name, version: options.version ?? '' }, predictions: merged, errors };
  }
}
