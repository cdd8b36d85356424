import { invalid } from '../../../mlops.validation.js';
import type { LoggedModel } from './logged-models.types.js';
import { integerOf, metricOf, pairsOf } from './wire.js';
import type { WireLoggedModel } from './wire.types.js';

/** A logged model. */
export function loggedModelOf(wire: WireLoggedModel = {}): LoggedModel {
  const { info = {}, data = {} } = wire;
  return {
    modelId: info.model_id ?? '',
    experimentId: info.experiment_id ?? '',
    name: info.name ?? '',
    modelType: info.model_type ?? '',
    sourceRunId: info.source_run_id === undefined || info.source_run_id === '' ? null : info.source_run_id,
    status: statusOf(info.status),
    artifactUri: info.artifact_uri ?? '',
    creationTime: integerOf(info.creation_timestamp_ms),
    lastUpdateTime: integerOf(info.last_updated_timestamp_ms),
    params: pairsOf(data.params),
    tags: pairsOf(info.tags),
    metrics: (data.metrics ?? []).map(metricOf),
  };
}

/** An order such as `metrics.acc DESC` as this endpoint takes it. */
export function orderOf(order: string): { field_name: string; ascending: boolean } {
  const [, field, direction = 'ASC'] = /^\s*(\S.*?)(?:\s+(asc|desc))?\s*$/i.exec(order) ?? [];
  if (field === undefined) throw invalid('an entry of orderBy may not be empty.');
  return { field_name: field, ascending: direction.toUpperCase() === 'ASC' };
}

function statusOf(status: string | number | undefined): LoggedModel['status'] {
  if (status === 'LOGGED_MODEL_READY') return 'READY';
  return status === 'LOGGED_MODEL_UPLOAD_FAILED' ? 'UPLOAD_FAILED' : 'PENDING';
}
