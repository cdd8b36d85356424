/** Lifecycle stage of experiments and runs. */
export type LifecycleStage = 'active' | 'deleted';

/** Which stages a search returns. */
export type ViewType = 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL';

/** Status of a run, as MLflow names them. */
export const RUN_STATUSES = ['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'] as const;
/** One of {@link RUN_STATUSES}. */
export type RunStatus = (typeof RUN_STATUSES)[number];
/** The statuses with which a run can end. */
export type FinalRunStatus = Extract<RunStatus, 'FINISHED' | 'FAILED' | 'KILLED'>;

/** Tags and params by key. */
export type StringMap = Record<string, string>;
/** What params and tags are given as; numbers and booleans are stored as their text. */
export type ScalarMap = Record<string, string | number | boolean>;

/** An experiment: a named group of runs. */
export interface Experiment {
  experimentId: string;
  name: string;
  /** URI below which the artifacts of its runs lie. */
  artifactLocation: string;
  lifecycleStage: LifecycleStage;
  /** ms since 1970. */
  creationTime: number;
  /** ms since 1970. */
  lastUpdateTime: number;
  tags: StringMap;
}

/** One metric point. */
export interface Metric {
  key: string;
  /** Any double. ±Infinity is stored as ±1.797e308, as MLflow's SQL stores do; NaN stays NaN. */
  value: number;
  /** ms since 1970. */
  timestamp: number;
  step: number;
}

/** A metric point as it is logged; `timestamp` defaults to now, `step` to 0. Fractions of both are cut off. */
export interface MetricInput {
  key: string;
  value: number;
  timestamp?: number;
  step?: number;
}

/** A data set that a run used. See https://mlflow.org/docs/latest/ml/dataset/ */
export interface DatasetInput {
  name: string;
  /** Fingerprint of the content, at most 36 characters. */
  digest: string;
  /** Kind of source, e.g. `local`, `http`, `s3`. */
  sourceType: string;
  /** Where it comes from, as JSON text or URI. */
  source: string;
  /** JSON text. */
  schema?: string;
  /** JSON text. */
  profile?: string;
  /** E.g. `{ 'mlflow.data.context': 'training' }`. */
  tags?: StringMap;
}

/** A run with what was logged to it; of each metric the latest point (greatest step, then timestamp, then value). */
export interface Run {
  runId: string;
  runName: string;
  experimentId: string;
  userId: string;
  status: RunStatus;
  /** ms since 1970. */
  startTime: number;
  /** ms since 1970, `null` while it runs. */
  endTime: number | null;
  artifactUri: string;
  lifecycleStage: LifecycleStage;
  metrics: Record<string, Metric>;
  params: StringMap;
  tags: StringMap;
  inputs: DatasetInput[];
}

/** Options of `createExperiment`. */
export interface CreateExperimentOptions {
  /** URI for the artifacts; default: the backend's. */
  artifactLocation?: string;
  tags?: ScalarMap;
}

/** Options of `startRun`. */
export interface StartRunOptions {
  /** Default: a random readable name. */
  runName?: string;
  tags?: ScalarMap;
  params?: ScalarMap;
  /** The run that this one is nested in (MLflow's tag `mlflow.parentRunId`). */
  parentRunId?: string;
  /** ms since 1970, default now. */
  startTime?: number;
  /** Who runs it, default the operating system's user. */
  userId?: string;
}

/** What one `logBatch` carries; it is stored as a whole or not at all. */
export interface RunBatch {
  metrics?: readonly MetricInput[];
  params?: ScalarMap;
  tags?: ScalarMap;
}

/**
 * A search. `filter` and `orderBy` are MLflow's, see https://mlflow.org/docs/latest/ml/search/search-runs/ ,
 * e.g. `metrics.accuracy > 0.8 and tags.stage = 'dev'`. A filter that cannot be read is `INVALID_ARGUMENT`.
 */
export interface SearchOptions {
  filter?: string;
  /** E.g. `['metrics.accuracy DESC', 'attributes.start_time ASC']`. */
  orderBy?: readonly string[];
  /** How many are fetched from the backend at once; the iterator hides the pages. Default 1000. */
  pageSize?: number;
  signal?: AbortSignal;
}

/** A search for experiments or runs. */
export interface StagedSearchOptions extends SearchOptions {
  /** Default `ACTIVE_ONLY`. */
  viewType?: ViewType;
}

/** A search for runs. */
export interface SearchRunsOptions extends StagedSearchOptions {
  /** The experiments to search in; at least one. */
  experimentIds: readonly string[];
}

/** A file or folder among a run's artifacts. */
export interface ArtifactInfo {
  /** Relative to the run's artifact root, with `/`. */
  path: string;
  isDirectory: boolean;
  /** Bytes; `null` for folders. */
  fileSize: number | null;
}

/** A named model in the registry. */
export interface RegisteredModel {
  name: string;
  description: string;
  /** ms since 1970. */
  creationTime: number;
  /** ms since 1970. */
  lastUpdateTime: number;
  tags: StringMap;
  /** Alias → version. */
  aliases: StringMap;
}

/** One version of a registered model. */
export interface ModelVersion {
  name: string;
  /** Decimal number as text, from `'1'`. */
  version: string;
  description: string;
  /** URI of the model's files, e.g. `runs:/<runId>/model`. */
  source: string;
  /** The run that made it, or `null`. */
  runId: string | null;
  status: 'PENDING_REGISTRATION' | 'FAILED_REGISTRATION' | 'READY';
  /** ms since 1970. */
  creationTime: number;
  /** ms since 1970. */
  lastUpdateTime: number;
  tags: StringMap;
  /** Aliases that point to this version. */
  aliases: string[];
}

/** Options of `createModelVersion`. */
export interface CreateModelVersionOptions {
  /** URI of the model's files, e.g. `runs:/<runId>/model`. */
  source: string;
  runId?: string;
  description?: string;
  tags?: ScalarMap;
}

/** What an MLOps driver can do. */
export interface MLOpsSupports {
  /** `setTrackingUri` before first use. */
  readonly trackingUri: boolean;
  /** `deleteExperimentTag`. Where it depends on the server's version, it is known once the plugin is open. */
  readonly experimentTagDeletion: boolean;
  /** What was acknowledged survives a restart of the process. */
  readonly durable: boolean;
}
