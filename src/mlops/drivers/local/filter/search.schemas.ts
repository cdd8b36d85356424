import type { SearchSchema } from './filter.sql.js';

/** What can be searched in runs (`runs r`). */
export const RUNS: SearchSchema = {
  attributes: {
    run_id: { sql: 'r.run_uuid' },
    run_name: { sql: 'r.name' },
    experiment_id: { sql: 'r.experiment_id', numeric: true },
    status: { sql: 'r.status' },
    start_time: { sql: 'r.start_time', numeric: true },
    created: { sql: 'r.start_time', numeric: true },
    Created: { sql: 'r.start_time', numeric: true },
    end_time: { sql: 'r.end_time', numeric: true },
    user_id: { sql: 'r.user_id' },
    artifact_uri: { sql: 'r.artifact_uri' },
  },
  related: {
    metric: {
      from: 'FROM latest_metrics m WHERE m.run_uuid = r.run_uuid',
      key: 'm.key',
      value: 'm.value',
      numeric: true,
      last: 'm.is_nan',
    },
    param: { from: 'FROM params p WHERE p.run_uuid = r.run_uuid', key: 'p.key', value: 'p.value' },
    tag: { from: 'FROM tags t WHERE t.run_uuid = r.run_uuid', key: 't.key', value: 't.value' },
    dataset: {
      from: `FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
        LEFT JOIN input_tags c ON c.input_uuid = i.input_uuid AND c.name = 'mlflow.data.context'
        WHERE i.destination_type = 'RUN' AND i.source_type = 'DATASET' AND i.destination_id = r.run_uuid`,
      keys: { name: 'd.name', digest: 'd.digest', context: 'c.value' },
    },
  },
  defaultOrder: 'r.start_time DESC, r.run_uuid',
};

/** What can be searched in experiments (`experiments e`). */
export const EXPERIMENTS: SearchSchema = {
  attributes: {
    name: { sql: 'e.name' },
    experiment_id: { sql: 'CAST(e.experiment_id AS TEXT)' },
    creation_time: { sql: 'e.creation_time', numeric: true },
    last_update_time: { sql: 'e.last_update_time', numeric: true },
  },
  related: {
    tag: { from: 'FROM experiment_tags t WHERE t.experiment_id = e.experiment_id', key: 't.key', value: 't.value' },
  },
  defaultOrder: 'e.creation_time DESC, e.experiment_id DESC',
};

/** What can be searched in registered models (`registered_models m`). */
export const MODELS: SearchSchema = {
  attributes: {
    name: { sql: 'm.name' },
    timestamp: { sql: 'm.last_updated_time', numeric: true, orderOnly: true },
    last_updated_timestamp: { sql: 'm.last_updated_time', numeric: true, orderOnly: true },
    creation_timestamp: { sql: 'm.creation_time', numeric: true, orderOnly: true },
  },
  related: { tag: { from: 'FROM registered_model_tags t WHERE t.name = m.name', key: 't.key', value: 't.value' } },
  defaultOrder: 'm.name',
};

/** What can be searched in model versions (`model_versions v`). */
export const VERSIONS: SearchSchema = {
  attributes: {
    name: { sql: 'v.name' },
    version_number: { sql: 'v.version', numeric: true },
    run_id: { sql: 'v.run_id' },
    source_path: { sql: 'v.source' },
    creation_timestamp: { sql: 'v.creation_time', numeric: true, orderOnly: true },
    last_updated_timestamp: { sql: 'v.last_updated_time', numeric: true, orderOnly: true },
  },
  related: {
    tag: {
      from: 'FROM model_version_tags t WHERE t.name = v.name AND t.version = v.version',
      key: 't.key',
      value: 't.value',
    },
  },
  defaultOrder: 'v.name, v.version DESC',
};
