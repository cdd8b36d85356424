import { posix } from 'node:path';
import { HubError } from '../core/errors.js';
import {
  RUN_STATUSES,
  type DatasetInput,
  type Metric,
  type MetricInput,
  type RunBatch,
  type RunStatus,
  type ScalarMap,
  type SearchOptions,
} from './mlops.types.js';

/** Greatest lengths in characters, as MLflow's stores take them. */
export const LIMITS = {
  key: 250,
  paramValue: 6_000,
  tagValue: 8_000,
  experimentTagValue: 5_000,
  registryTagValue: 5_000,
  description: 5_000,
  experimentName: 256,
  runName: 250,
  modelName: 256,
  alias: 255,
  source: 500,
  userId: 256,
} as const;

/** A batch with every value in its stored form; what `checkBatch` returns. */
export interface CheckedBatch {
  metrics: Metric[];
  params: [key: string, value: string][];
  tags: [key: string, value: string][];
}

/** The `INVALID_ARGUMENT` error that all checks throw. */
export function invalid(message: string): HubError {
  return new HubError('INVALID_ARGUMENT', message);
}

// What most keys look like; checked first, since this runs for every point.
const PLAIN_KEY = /^\w[\w\-.: ]{0,249}$/;

/** Checks the key of a metric, param or tag: charset, length, and that it equals its normalised path. */
export function checkKey(key: unknown, what: string): string {
  if (typeof key === 'string' && PLAIN_KEY.test(key)) return key;
  const text = checkText(key, `the key ${quote(String(key))} of a ${what}`, LIMITS.key, false);
  if (!/^[\p{L}\p{N}_\-.:/ ]+$/u.test(text)) {
    throw invalid(`the key ${quote(text)} of a ${what} may hold letters, digits and _ - . : / space only.`);
  }
  const unique = posix.normalize(text).replace(/(?<=.)\/$/, '') === text;
  if (!unique || text === '.' || text.startsWith('..') || text.startsWith('/')) {
    throw invalid(
      `the key ${quote(text)} of a ${what} has to be a normalised relative path: no "//", no "..", no "/" at either end.`,
    );
  }
  return text;
}

/** Checks params and turns their values into text. */
export function checkParams(params: ScalarMap = {}): [string, string][] {
  return checkScalars(params, 'param', LIMITS.paramValue);
}

/** Checks tags and turns their values into text; `max` is the greatest length of a value. */
export function checkTags(tags: ScalarMap = {}, max: number = LIMITS.tagValue): [string, string][] {
  return checkScalars(tags, 'tag', max);
}

/** Checks one metric point; cuts fractions off step and timestamp and stores infinities as the greatest double. */
export function checkMetric(input: MetricInput, now: number): Metric {
  const key = checkKey(input.key, 'metric');
  const { value } = input;
  if (typeof value !== 'number')
    throw invalid(`the value of metric ${quote(key)} has to be a number, not ${kind(value)}.`);
  const timestamp = checkInteger(input.timestamp ?? now, () => `the timestamp of metric ${quote(key)}`);
  if (timestamp < 0) throw invalid(`the timestamp of metric ${quote(key)} has to be 0 or later, not ${timestamp}.`);
  const step = checkInteger(input.step ?? 0, () => `the step of metric ${quote(key)}`);
  const stored = Number.isNaN(value) ? value : Math.min(Math.max(value, -Number.MAX_VALUE), Number.MAX_VALUE);
  return { key, value: stored, timestamp, step };
}

/** Checks a whole batch before anything of it is written. `INVALID_ARGUMENT` names the first bad item. */
export function checkBatch(batch: RunBatch): CheckedBatch {
  if (typeof batch !== 'object' || batch === null) throw invalid(`a batch has to be an object, not ${kind(batch)}.`);
  const { metrics = [] } = batch;
  if (!Array.isArray(metrics)) throw invalid(`the metrics of a batch have to be a list, not ${kind(metrics)}.`);
  const now = Date.now();
  return {
    metrics: (metrics as readonly MetricInput[]).map((metric) => checkMetric(metric, now)),
    params: checkParams(batch.params),
    tags: checkTags(batch.tags),
  };
}

/**
 * What no backend keeps: PostgreSQL refuses the character 0, and half of a surrogate pair (text cut within an emoji) makes
 * MLflow drop the rest of the request and answer 200.
 */
const UNSTORABLE = /\0|\p{Surrogate}/u;

/** Checks text: a string of at most `max` whole characters without the character 0, and not blank unless `empty`. */
export function checkText(value: unknown, what: string, max: number, empty = true): string {
  if (typeof value !== 'string') throw invalid(`${what} has to be a string, not ${kind(value)}.`);
  if (!empty && value.trim() === '') throw invalid(`${what} may not be empty.`);
  // UTF-16 length is never less than the number of characters, so the exact count is rarely needed.
  if (value.length > max && [...value].length > max) {
    throw invalid(`${what} may have ${max} characters, not ${[...value].length}.`);
  }
  if (UNSTORABLE.test(value)) {
    throw invalid(
      `${what} may not hold the character 0 nor half of a surrogate pair, as text cut within an emoji does.`,
    );
  }
  return value;
}

/** Checks the name of a registered model: not empty, no `/` and no `:`, because model URIs are split there. */
export function checkModelName(name: unknown): string {
  const text = checkText(name, "a registered model's name", LIMITS.modelName, false);
  if (/[/:]/.test(text) || text === '.' || text.startsWith('..')) {
    throw invalid(`the model name ${quote(text)} may not hold "/" or ":" nor start with "..".`);
  }
  return text;
}

/** Checks an alias: letters, digits, `_`, `-`; not `latest` and not `v<number>`, which mean versions. */
export function checkAlias(alias: unknown): string {
  const text = checkText(alias, 'an alias', LIMITS.alias, false);
  if (!/^[\p{L}\p{N}_-]+$/u.test(text))
    throw invalid(`the alias ${quote(text)} may hold letters, digits, _ and - only.`);
  if (/^latest$/i.test(text) || /^v\d+$/i.test(text)) throw invalid(`the alias ${quote(text)} is reserved.`);
  return text;
}

/** Checks a model version and returns its number. */
export function checkVersion(version: unknown): number {
  const text = String(version);
  if (!/^\d{1,15}$/.test(text)) throw invalid(`a model version has to be a decimal number, not ${quote(text)}.`);
  return Number(text);
}

/** Checks a time in ms since 1970; fractions are cut off. */
export function checkTime(time: number, what: string): number {
  const value = checkInteger(time, () => what);
  if (value < 0) throw invalid(`${what} has to be 0 or later, not ${value}.`);
  return value;
}

/** Checks the status with which a run ends. */
export function checkFinalStatus(status: RunStatus): RunStatus {
  if (RUN_STATUSES.includes(status) && status !== 'RUNNING' && status !== 'SCHEDULED') return status;
  throw invalid(`a run ends as FINISHED, FAILED or KILLED, not ${quote(String(status))}.`);
}

/** Checks a data set that a run used. */
export function checkDataset(dataset: DatasetInput): DatasetInput {
  const { name, digest, sourceType, source, schema, profile } = dataset;
  checkText(name, "a data set's name", 500, false);
  checkText(digest, "a data set's digest", 36, false);
  checkText(sourceType, "a data set's sourceType", 36, false);
  checkText(source, "a data set's source", 65_535);
  if (schema !== undefined) checkText(schema, "a data set's schema", 1_048_575);
  if (profile !== undefined) checkText(profile, "a data set's profile", 16_777_215);
  for (const [key, value] of Object.entries(dataset.tags ?? {})) {
    checkText(key, "the key of a data set's tag", 255, false);
    checkText(value, `the data set tag ${quote(key)}`, 500);
  }
  return dataset;
}

/**
 * Checks the path of an artifact and returns its segments: relative, with `/`, no empty, `.` or `..` segment, no
 * backslash and no control characters.
 * @param root whether the empty path, meaning everything, is allowed
 */
export function checkArtifactPath(path: unknown, root = false): string[] {
  if (typeof path !== 'string') throw invalid(`an artifact path has to be a string, not ${kind(path)}.`);
  if (path === '') {
    if (root) return [];
    throw invalid('an artifact path may not be empty.');
  }
  const segments = path.split('/');
  const bad = segments.some((segment) => segment === '' || segment === '.' || segment === '..' || segment.length > 255);
  // Drive letters and backslashes would mean another place on Windows.
  if (bad || /[\\\u0000-\u001f]/.test(path) || /^[A-Za-z]:/.test(path)) {
    throw invalid(
      `the artifact path ${quote(path)} has to be relative, with "/" between names and no "." or ".." among them.`,
    );
  }
  return segments;
}

/** Checks the page size of a search; default 1000. */
export function checkPageSize(options: SearchOptions): number {
  const { pageSize = 1_000 } = options;
  if (Number.isInteger(pageSize) && pageSize > 0 && pageSize <= 50_000) return pageSize;
  throw invalid(`pageSize has to be an integer from 1 to 50000, not ${String(pageSize)}.`);
}

function checkScalars(map: ScalarMap, what: string, max: number): [string, string][] {
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw invalid(`${what}s have to be an object of keys and values, not ${kind(map)}.`);
  }
  return Object.entries(map).map(([key, value]) => {
    checkKey(key, what);
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw invalid(`the ${what} ${quote(key)} has to be a string, a number or a boolean, not ${kind(value)}.`);
    }
    return [key, checkText(String(value), `the ${what} ${quote(key)}`, max)];
  });
}

function checkInteger(value: unknown, what: () => string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(Math.trunc(value))) {
    throw invalid(`${what()} has to be an integer below 2^53, not ${typeof value === 'number' ? value : kind(value)}.`);
  }
  // Adding 0 turns -0 into 0.
  return Math.trunc(value) + 0;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function kind(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value;
}
