import { HubError } from '../core/errors.js';
import type { JsonObject, JsonValue } from '../core/json.js';
import type { ScalarMap } from '../mlops/mlops.types.js';
import type { TrainingTrigger } from './experiment.types.js';

/**
 * The contract between the hub and the tasks of an experiment. Everything is JSON, so a task may as well be a Python
 * Celery task: the hub calls it with keyword arguments, and the names below are those arguments.
 *
 * - Rows never travel with a training: `data` says where they are and the task reads them there.
 * - The hub is the one writer of metrics, params and tags. A task reports `{ step, metrics }` as progress and returns its
 *   final metrics; it does not log them itself, or every point would be there twice.
 * - Delivery is at least once: a task can run again with the same arguments, and the second result replaces the first.
 */

/** What a model that the hub has stored is called, and where it is. */
export interface ModelReference extends JsonObject {
  name: string;
  version: string;
  runId: string | null;
  /** `models:/<name>/<version>`, for workers that reach the MLOps backend themselves. */
  uri: string;
  /**
   * Folder with the model's files, for workers that share the hub's file system; `null` when the source of the version
   * is not a run of the hub, or the experiment's `tasks.modelsBy` is `uri`. Its files never change, so a worker can keep the loaded model by this path (or by name and
   * version) and load again when it changes.
   */
  path: string | null;
}

/** Keyword arguments of the train task. */
export interface TrainKwargs extends JsonObject {
  experiment: string;
  runId: string;
  trigger: { id: string; reason: string; at: number };
  params: ScalarMap;
  data: JsonValue;
  /** Empty folder on the hub's file system for the model's files; it is removed when they have been stored. */
  outputDir: string;
}

/** How the model comes back from the train task. */
export type TrainedModel =
  /** A small model as JSON, within the task queue's limit for results; stored as `model.json`. */
  | { json: JsonValue }
  /** A file or folder inside `outputDir`, relative to it or absolute; a folder's content is stored, a file by its name. */
  | { path: string }
  /** The worker has stored it itself, below `model/` among the artifacts of the run. */
  | { logged: true };

/** Result of the train task. */
export interface TrainResult {
  model: TrainedModel;
  /** Final metrics, logged at the step of the last progress report. */
  metrics?: Record<string, number>;
  /** Params that the task chose itself. */
  params?: ScalarMap;
  tags?: ScalarMap;
}

/** What the train task reports as progress. Other reports are let pass. */
export interface TrainProgress {
  step?: number;
  metrics: Record<string, number>;
}

/** Keyword arguments of the predict task. */
export interface PredictKwargs extends JsonObject {
  experiment: string;
  model: ModelReference;
  /** The rows; empty when they travel by reference. */
  rows: JsonValue[];
}

/** Keyword arguments of the predict task when the rows are larger than the experiment's `tasks.maxInlineBytes`. */
export interface PredictByReferenceKwargs extends PredictKwargs {
  /** `runs:/<runId>/<path>` of a JSON array with the rows. */
  rowsUri: string;
  /** Folder among the same run's artifacts that the task may leave its result in. */
  resultDir: string;
}

/**
 * Result of the predict task: the predictions, one for each row in order, alone or with errors of single rows; or, for
 * rows that came by reference, `runs:/<runId>/<resultDir>/predictions.json` with the same as JSON.
 */
export type PredictResult =
  JsonValue[] | { predictions: JsonValue[]; errors?: Record<string, string> } | { resultUri: string };

/** Keyword arguments of the evaluate task: as of the training, with the models to score on the same holdout. */
export interface EvaluateKwargs extends JsonObject {
  experiment: string;
  runId: string;
  trigger: { id: string; reason: string; at: number };
  params: ScalarMap;
  data: JsonValue;
  metric: string;
  models: ModelReference[];
}

/** Result of the evaluate task: one score for each model, in order. */
export interface EvaluateResult {
  scores: number[];
}

/** @internal What began a training, stored with its run so that any hub can go on with it. */
export interface TrainingRequest {
  trigger: TrainingTrigger;
  params: ScalarMap;
  data: JsonValue;
}

/** @internal Checks a train result. `PAYLOAD_INVALID` says what is wrong with it. */
export function parseTrainResult(value: JsonValue, task: string): TrainResult {
  const fail = failure(task);
  if (!isObject(value)) throw fail('has to be an object with a "model".');
  const { model, metrics, params, tags } = value;
  if (!isObject(model)) throw fail('has no "model": { json }, { path } or { logged: true }.');
  const trained = trainedModel(model);
  if (trained === null) throw fail('"model" has to be { json }, { path } or { logged: true }.');
  return {
    model: trained,
    ...(metrics === undefined ? {} : { metrics: numbers(metrics, () => fail('"metrics" has to hold numbers.')) }),
    ...(params === undefined ? {} : { params: scalars(params, () => fail('"params" has to hold plain values.')) }),
    ...(tags === undefined ? {} : { tags: scalars(tags, () => fail('"tags" has to hold plain values.')) }),
  };
}

/** @internal The metrics of a progress report, or `null` when it is none of the contract's. */
export function parseProgress(value: JsonValue): { step: number; metrics: Record<string, number> } | null {
  if (!isObject(value) || !isObject(value.metrics)) return null;
  const metrics = Object.fromEntries(
    Object.entries(value.metrics).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
  return { step: typeof value.step === 'number' ? value.step : 0, metrics };
}

/** @internal Checks a predict result against the number of rows. `PAYLOAD_INVALID`. */
export function parsePredictResult(
  value: JsonValue,
  rows: number,
  task: string,
): { predictions: JsonValue[]; errors: Record<string, string> } {
  const fail = failure(task);
  const predictions = Array.isArray(value) ? value : isObject(value) ? value.predictions : undefined;
  if (!Array.isArray(predictions)) throw fail('has to be an array of predictions, or an object that holds it.');
  if (predictions.length !== rows) throw fail(`holds ${predictions.length} predictions for ${rows} rows.`);
  const given = isObject(value) && isObject(value.errors) ? value.errors : {};
  const errors = Object.fromEntries(Object.entries(given).map(([row, why]) => [row, String(why)]));
  // Whatever a task puts in the place of a bad row, nobody shall take it for a prediction.
  const sound = predictions.map((prediction, row) => (Object.hasOwn(errors, String(row)) ? null : prediction));
  return { predictions: sound, errors };
}

/** @internal Checks an evaluate result against the number of models. `PAYLOAD_INVALID`. */
export function parseEvaluateResult(value: JsonValue, models: number, task: string): number[] {
  const fail = failure(task);
  const scores = isObject(value) ? value.scores : undefined;
  if (!Array.isArray(scores) || scores.length !== models)
    throw fail(`has to hold "scores", one for each of ${models}.`);
  return scores.map((score) => {
    if (typeof score !== 'number') throw fail('"scores" has to hold numbers.');
    return score;
  });
}

function trainedModel(model: JsonObject): TrainedModel | null {
  if (model.json !== undefined) return { json: model.json };
  if (typeof model.path === 'string' && model.path !== '') return { path: model.path };
  return model.logged === true ? { logged: true } : null;
}

function failure(task: string): (what: string) => HubError {
  return (what) => new HubError('PAYLOAD_INVALID', `the result of task ${JSON.stringify(task)} ${what}`);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function numbers(value: JsonValue, fail: () => HubError): Record<string, number> {
  if (!isObject(value)) throw fail();
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => {
      if (typeof entry !== 'number') throw fail();
      return [key, entry];
    }),
  );
}

function scalars(value: JsonValue, fail: () => HubError): ScalarMap {
  if (!isObject(value)) throw fail();
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => {
      if (typeof entry === 'object') throw fail();
      return [key, entry];
    }),
  );
}
