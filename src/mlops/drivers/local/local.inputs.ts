import { randomUUID } from 'node:crypto';
import type { DatasetInput } from '../../mlops.types.js';
import type { LocalDatabase } from './local.database.js';
import { groupBy, groupTags, type TagRow } from './local.rows.js';

interface InputRow {
  run_uuid: string;
  input_uuid: string;
  name: string;
  digest: string;
  source_type: string;
  source: string;
  schema: string | null;
  profile: string | null;
}

/** Stores a data set (once per experiment, name and digest) and its link to the run. Only inside `write`. */
export function insertInput(db: LocalDatabase, runId: string, experimentId: number, dataset: DatasetInput): void {
  const datasetId = datasetOf(db, experimentId, dataset);
  const inputId = hexId();
  const added = db.run(
    `INSERT OR IGNORE INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)
     VALUES (?, 'DATASET', ?, 'RUN', ?)`,
    inputId,
    datasetId,
    runId,
  );
  if (added === 0) return;
  for (const [key, value] of Object.entries(dataset.tags ?? {})) {
    db.run('INSERT INTO input_tags (input_uuid, name, value) VALUES (?, ?, ?)', inputId, key, value);
  }
}

/** The data sets of runs. @param ids run ids as a JSON list */
export function readInputs(db: LocalDatabase, ids: string): Map<string, DatasetInput[]> {
  const rows = db.all<InputRow>(
    `SELECT i.destination_id AS run_uuid, i.input_uuid AS input_uuid, d.name AS name, d.digest AS digest,
       d.dataset_source_type AS source_type, d.dataset_source AS source, d.dataset_schema AS schema,
       d.dataset_profile AS profile
     FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
     WHERE i.destination_type = 'RUN' AND i.source_type = 'DATASET'
       AND i.destination_id IN (SELECT value FROM json_each(?)) ORDER BY i.rowid`,
    ids,
  );
  if (rows.length === 0) return new Map();
  const tags = groupTags(
    db.all<TagRow>(
      `SELECT input_uuid AS owner, name AS key, value FROM input_tags
       WHERE input_uuid IN (SELECT value FROM json_each(?)) ORDER BY name`,
      JSON.stringify(rows.map((row) => row.input_uuid)),
    ),
  );
  const inputs = groupBy(rows, (row) => row.run_uuid);
  return new Map(
    [...inputs].map(([runId, list]) => [
      runId,
      list.map((row) => ({
        name: row.name,
        digest: row.digest,
        sourceType: row.source_type,
        source: row.source,
        ...(row.schema === null ? {} : { schema: row.schema }),
        ...(row.profile === null ? {} : { profile: row.profile }),
        tags: tags.get(row.input_uuid) ?? {},
      })),
    ]),
  );
}

function datasetOf(db: LocalDatabase, experimentId: number, dataset: DatasetInput): string {
  const { name, digest, sourceType, source, schema, profile } = dataset;
  const stored = db.get<{ id: string }>(
    'SELECT dataset_uuid AS id FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?',
    experimentId,
    name,
    digest,
  );
  if (stored !== undefined) return stored.id;
  const id = hexId();
  db.run(
    `INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source,
       dataset_schema, dataset_profile) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    experimentId,
    name,
    digest,
    sourceType,
    source,
    schema ?? null,
    profile ?? null,
  );
  return id;
}

function hexId(): string {
  return randomUUID().replaceAll('-', '');
}
