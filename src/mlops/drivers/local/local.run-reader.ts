import type { LifecycleStage, Metric, Run, RunStatus } from '../../mlops.types.js';
import type { LocalDatabase } from './local.database.js';
import { readInputs } from './local.inputs.js';
import { groupBy, groupTags, type TagRow } from './local.rows.js';

/** A row of `runs`. */
export interface RunRow {
  run_uuid: string;
  name: string | null;
  experiment_id: number;
  user_id: string | null;
  status: RunStatus;
  start_time: number | null;
  end_time: number | null;
  artifact_uri: string | null;
  lifecycle_stage: LifecycleStage;
}

interface LatestRow {
  run_uuid: string;
  key: string;
  value: number;
  is_nan: number;
  timestamp: number;
  step: number;
}

/** The columns of {@link RunRow}. */
export const RUN_COLUMNS =
  'run_uuid, name, experiment_id, user_id, status, start_time, end_time, artifact_uri, lifecycle_stage';

/** Puts runs together from their tables, many with one statement per table. */
export class RunReader {
  constructor(private readonly db: LocalDatabase) {}

  /** The run of a row. */
  one(row: RunRow): Run {
    const [run] = this.#assemble([row]);
    return run as Run;
  }

  /** The runs of those ids that exist, in their order. */
  many(runIds: readonly string[]): Run[] {
    const rows = this.db.all<RunRow>(
      `SELECT ${RUN_COLUMNS} FROM runs WHERE run_uuid IN (SELECT value FROM json_each(?))`,
      JSON.stringify(runIds),
    );
    const byId = new Map(this.#assemble(rows).map((run) => [run.runId, run]));
    return runIds.flatMap((id) => byId.get(id) ?? []);
  }

  #assemble(rows: readonly RunRow[]): Run[] {
    const ids = JSON.stringify(rows.map((row) => row.run_uuid));
    const latest = groupBy(
      this.db.all<LatestRow>(
        `SELECT run_uuid, key, value, is_nan, timestamp, step FROM latest_metrics
         WHERE run_uuid IN (SELECT value FROM json_each(?)) ORDER BY key`,
        ids,
      ),
      (row) => row.run_uuid,
    );
    const params = this.#pairs('params', ids);
    const tags = this.#pairs('tags', ids);
    const inputs = readInputs(this.db, ids);
    return rows.map((row) => ({
      runId: row.run_uuid,
      runName: row.name ?? '',
      experimentId: String(row.experiment_id),
      userId: row.user_id ?? '',
      status: row.status,
      startTime: row.start_time ?? 0,
      endTime: row.end_time,
      artifactUri: row.artifact_uri ?? '',
      lifecycleStage: row.lifecycle_stage,
      metrics: Object.fromEntries((latest.get(row.run_uuid) ?? []).map((metric) => [metric.key, metricOf(metric)])),
      params: params.get(row.run_uuid) ?? {},
      tags: tags.get(row.run_uuid) ?? {},
      inputs: inputs.get(row.run_uuid) ?? [],
    }));
  }

  #pairs(table: 'params' | 'tags', ids: string): ReturnType<typeof groupTags> {
    return groupTags(
      this.db.all<TagRow>(
        `SELECT run_uuid AS owner, key, value FROM ${table}
         WHERE run_uuid IN (SELECT value FROM json_each(?)) ORDER BY key`,
        ids,
      ),
    );
  }
}

function metricOf({ key, value, is_nan: isNan, timestamp, step }: LatestRow): Metric {
  return { key, value: isNan ? NaN : value, timestamp, step };
}
