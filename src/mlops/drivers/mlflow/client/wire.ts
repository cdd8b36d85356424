import type {
  DatasetInput,
  Experiment,
  LifecycleStage,
  Metric,
  ModelVersion,
  RegisteredModel,
  Run,
  RunStatus,
  StringMap,
} from '../../../mlops.types.js';
import { RUN_STATUSES } from '../../../mlops.types.js';
import { CLIENT_TOKEN_TAG } from './client-token.js';
import type {
  WireDatasetInput,
  WireDouble,
  WireExperiment,
  WireInteger,
  WireMetric,
  WireModelVersion,
  WirePair,
  WireRegisteredModel,
  WireRun,
} from './wire.types.js';

/** An integer of the server; 0 when it is absent. Beyond 2^53 it is rounded. */
export function integerOf(value: WireInteger | undefined): number {
  return value === undefined ? 0 : Number(value);
}

/** A double of the server: numbers, `NaN` and infinities as text; 0 when it is absent. */
export function doubleOf(value: WireDouble | undefined): number {
  return typeof value === 'number' ? value : value === undefined ? 0 : Number(value);
}

/** A double as it is sent: what JSON has no number for becomes text. */
export function wireDouble(value: number): WireDouble {
  return Number.isFinite(value) ? value : String(value);
}

/** Tags or params by key, without the hub's own mark. Keys such as `__proto__` are ordinary ones. */
export function pairsOf(pairs: readonly WirePair[] | undefined): StringMap {
  const entries = (pairs ?? []).map(({ key, value }): [string, string] => [key ?? '', value ?? '']);
  return Object.fromEntries(entries.filter(([key]) => key !== CLIENT_TOKEN_TAG));
}

/** Pairs as they are sent. */
export function wirePairs(pairs: Iterable<readonly [string, string]>): { key: string; value: string }[] {
  return [...pairs].map(([key, value]) => ({ key, value }));
}

/** An experiment. */
export function experimentOf(wire: WireExperiment = {}): Experiment {
  return {
    experimentId: wire.experiment_id ?? '',
    name: wire.name ?? '',
    artifactLocation: wire.artifact_location ?? '',
    lifecycleStage: stageOf(wire.lifecycle_stage),
    creationTime: integerOf(wire.creation_time),
    lastUpdateTime: integerOf(wire.last_update_time),
    tags: pairsOf(wire.tags),
  };
}

/** A metric point. */
export function metricOf(wire: WireMetric): Metric {
  return {
    key: wire.key ?? '',
    value: doubleOf(wire.value),
    timestamp: integerOf(wire.timestamp),
    step: integerOf(wire.step),
  };
}

/** A metric point as it is sent. */
export function wireMetric({ key, value, timestamp, step }: Metric): WireMetric {
  return { key, value: wireDouble(value), timestamp, step };
}

/** A run; its metrics are the latest point of each key. */
export function runOf(wire: WireRun = {}): Run {
  const { info = {}, data = {} } = wire;
  return {
    runId: info.run_id ?? info.run_uuid ?? '',
    runName: info.run_name ?? '',
    experimentId: info.experiment_id ?? '',
    userId: info.user_id ?? '',
    status: RUN_STATUSES.find((status) => status === info.status) ?? ('RUNNING' satisfies RunStatus),
    startTime: integerOf(info.start_time),
    // A run that goes on has none or, on some servers, 0.
    endTime: integerOf(info.end_time) || null,
    artifactUri: info.artifact_uri ?? '',
    lifecycleStage: stageOf(info.lifecycle_stage),
    metrics: Object.fromEntries((data.metrics ?? []).map((metric) => [metric.key ?? '', metricOf(metric)])),
    params: pairsOf(data.params),
    tags: pairsOf(data.tags),
    inputs: (wire.inputs?.dataset_inputs ?? []).map(datasetOf),
  };
}

/** A data set that a run used. */
export function datasetOf({ dataset = {}, tags }: WireDatasetInput): DatasetInput {
  return {
    name: dataset.name ?? '',
    digest: dataset.digest ?? '',
    sourceType: dataset.source_type ?? '',
    source: dataset.source ?? '',
    ...(dataset.schema === undefined ? {} : { schema: dataset.schema }),
    ...(dataset.profile === undefined ? {} : { profile: dataset.profile }),
    tags: pairsOf(tags),
  };
}

/** A data set as it is sent. */
export function wireDataset({ tags = {}, sourceType, ...dataset }: DatasetInput): WireDatasetInput {
  const { name, digest, source, schema, profile } = dataset;
  return {
    tags: wirePairs(Object.entries(tags)),
    dataset: {
      name,
      digest,
      source_type: sourceType,
      source,
      ...(schema === undefined ? {} : { schema }),
      ...(profile === undefined ? {} : { profile }),
    },
  };
}

/** A registered model. */
export function registeredModelOf(wire: WireRegisteredModel = {}): RegisteredModel {
  return {
    name: wire.name ?? '',
    description: wire.description ?? '',
    creationTime: integerOf(wire.creation_timestamp),
    lastUpdateTime: integerOf(wire.last_updated_timestamp),
    tags: pairsOf(wire.tags),
    aliases: Object.fromEntries((wire.aliases ?? []).map(({ alias, version }) => [alias ?? '', String(version ?? '')])),
  };
}

/** A model version. A run id of `''`, which the server writes for none, is `null`. */
export function modelVersionOf(wire: WireModelVersion = {}): ModelVersion {
  return {
    name: wire.name ?? '',
    version: String(wire.version ?? ''),
    description: wire.description ?? '',
    source: wire.source ?? '',
    runId: wire.run_id === undefined || wire.run_id === '' ? null : wire.run_id,
    status: versionStatusOf(wire.status),
    creationTime: integerOf(wire.creation_timestamp),
    lastUpdateTime: integerOf(wire.last_updated_timestamp),
    tags: pairsOf(wire.tags),
    aliases: [...(wire.aliases ?? [])],
  };
}

function versionStatusOf(status: string | undefined): ModelVersion['status'] {
  if (status === 'PENDING_REGISTRATION' || status === 'FAILED_REGISTRATION') return status;
  return 'READY';
}

function stageOf(stage: string | undefined): LifecycleStage {
  return stage === 'deleted' ? 'deleted' : 'active';
}
