import type { Metric, ScalarMap, SearchOptions, StringMap } from '../../../mlops.types.js';

/** A logged model of MLflow 3: files of a model with a life of their own. See https://mlflow.org/docs/latest/ml/model/ */
export interface LoggedModel {
  /** `m-…` */
  modelId: string;
  experimentId: string;
  name: string;
  /** E.g. `sklearn`; `''` for none. */
  modelType: string;
  /** The run that made it, or `null`. */
  sourceRunId: string | null;
  /** PENDING until its files are complete. */
  status: 'PENDING' | 'READY' | 'UPLOAD_FAILED';
  /** URI of its files. */
  artifactUri: string;
  /** ms since 1970. */
  creationTime: number;
  /** ms since 1970. */
  lastUpdateTime: number;
  params: StringMap;
  tags: StringMap;
  /** Metric points that were logged for the model. */
  metrics: Metric[];
}

/** Options of `LoggedModelsApi.create`. */
export interface NewLoggedModel {
  /** Default: a random one of the server. */
  name?: string;
  modelType?: string;
  sourceRunId?: string;
  params?: ScalarMap;
  tags?: ScalarMap;
}

/** A search for logged models; `filter` e.g. `attributes.name = 'm' and metrics.acc > 0.9`. */
export interface SearchLoggedModels extends Pick<SearchOptions, 'filter' | 'pageSize' | 'signal'> {
  /** The experiments to search in; at least one. */
  experimentIds: readonly string[];
  /** E.g. `['creation_timestamp DESC', 'metrics.acc']`. */
  orderBy?: readonly string[];
}
