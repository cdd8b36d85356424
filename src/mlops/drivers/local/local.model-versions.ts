import { HubError } from '../../../core/errors.js';
import { checkAlias, checkKey, checkTags, checkText, checkVersion, invalid, LIMITS } from '../../mlops.validation.js';
import type { CreateModelVersionOptions, ModelVersion } from '../../mlops.types.js';
import type { LocalDatabase } from './local.database.js';
import type { GroupCommit } from './local.group-commit.js';
import type { LocalModels } from './local.models.js';
import { groupTags, type TagRow } from './local.rows.js';

interface VersionRow {
  name: string;
  version: number;
  description: string | null;
  source: string | null;
  run_id: string | null;
  status: ModelVersion['status'] | null;
  creation_time: number | null;
  last_updated_time: number | null;
}

const COLUMNS = 'name, version, description, source, run_id, status, creation_time, last_updated_time';
/** MLflow keeps deleted versions under this stage, so that their numbers are never used again. */
const DELETED = 'Deleted_Internal';

/** The versions of registered models. */
export class LocalModelVersions {
  constructor(
    private readonly db: LocalDatabase,
    private readonly commits: GroupCommit,
    private readonly models: LocalModels,
  ) {}

  async create(name: string, options: CreateModelVersionOptions): Promise<ModelVersion> {
    const source = checkText(options.source, "a model version's source", LIMITS.source, false);
    const description = checkText(options.description ?? '', 'a description', LIMITS.description);
    const tags = checkTags(options.tags, LIMITS.registryTagValue);
    const runId = options.runId ?? /^runs:\/+([^/]+)/.exec(source)?.[1];
    return this.commits.write(() => {
      this.models.require(name);
      const run = runId === undefined ? undefined : this.#requireRun(runId);
      const location = this.#resolve(source);
      const last = this.db.get<{ version: number }>(
        'SELECT coalesce(max(version), 0) AS version FROM model_versions WHERE name = ?',
        name,
      );
      const version = (last?.version ?? 0) + 1;
      const now = Date.now();
      this.db.run(
        `INSERT INTO model_versions (${COLUMNS}, user_id, current_stage, status_message, run_link, storage_location)
         VALUES (?, ?, ?, ?, ?, 'READY', ?, ?, ?, 'None', NULL, NULL, ?)`,
        name,
        version,
        description,
        source,
        runId ?? null,
        now,
        now,
        run?.user_id ?? null,
        location,
      );
      for (const [key, value] of tags) this.#setTag(name, version, key, value);
      this.models.touch(name);
      return this.#entity(this.#require(name, version));
    });
  }

  async get(name: string, version: string): Promise<ModelVersion> {
    const number = checkVersion(version);
    return this.commits.read(() => this.#entity(this.#require(name, number)));
  }

  async getByAlias(name: string, alias: string): Promise<ModelVersion | null> {
    checkAlias(alias);
    return this.commits.read(() => {
      this.models.require(name);
      const found = this.db.get<{ version: number }>(
        'SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?',
        name,
        alias,
      );
      return found === undefined ? null : this.#entity(this.#require(name, found.version));
    });
  }

  /** The versions of those keys that still exist, in their order. */
  list(keys: readonly { name: string; version: number }[]): Promise<ModelVersion[]> {
    return this.commits.read(() =>
      keys.flatMap(({ name, version }) => {
        const row = this.#find(name, version);
        return row === undefined ? [] : [this.#entity(row)];
      }),
    );
  }

  async update(name: string, version: string, changes: { description: string }): Promise<ModelVersion> {
    const number = checkVersion(version);
    const description = checkText(changes.description, 'a description', LIMITS.description);
    return this.commits.write(() => {
      this.#require(name, number);
      this.db.run(
        'UPDATE model_versions SET description = ? WHERE name = ? AND version = ?',
        description,
        name,
        number,
      );
      this.#touch(name, number);
      return this.#entity(this.#require(name, number));
    });
  }

  async delete(name: string, version: string): Promise<void> {
    const number = checkVersion(version);
    await this.commits.write(() => {
      this.#require(name, number);
      this.db.run('DELETE FROM registered_model_aliases WHERE name = ? AND version = ?', name, number);
      this.db.run(
        `UPDATE model_versions SET current_stage = '${DELETED}', description = NULL, user_id = NULL, status_message = NULL,
           source = 'REDACTED-SOURCE-PATH', run_id = 'REDACTED-RUN-ID', run_link = 'REDACTED-RUN-LINK'
         WHERE name = ? AND version = ?`,
        name,
        number,
      );
      this.#touch(name, number);
    });
  }

  async setTag(name: string, version: string, key: string, value: string | number | boolean): Promise<void> {
    const number = checkVersion(version);
    const tags = checkTags({ [key]: value }, LIMITS.registryTagValue);
    await this.commits.write(() => {
      this.#require(name, number);
      for (const [, text] of tags) this.#setTag(name, number, key, text);
      this.#touch(name, number);
    });
  }

  async deleteTag(name: string, version: string, key: string): Promise<void> {
    const number = checkVersion(version);
    checkKey(key, 'tag');
    await this.commits.write(() => {
      this.#require(name, number);
      this.db.run('DELETE FROM model_version_tags WHERE name = ? AND version = ? AND key = ?', name, number, key);
      this.#touch(name, number);
    });
  }

  /** Throws `NOT_FOUND` when the model has no such version. Only inside `read` or `write`. */
  ensure(name: string, version: string): void {
    this.#require(name, checkVersion(version));
  }

  #find(name: string, version: number): VersionRow | undefined {
    return this.db.get<VersionRow>(
      `SELECT ${COLUMNS} FROM model_versions WHERE name = ? AND version = ? AND current_stage IS NOT '${DELETED}'`,
      name,
      version,
    );
  }

  #require(name: string, version: number): VersionRow {
    this.models.require(name);
    const row = this.#find(name, version);
    if (row !== undefined) return row;
    throw new HubError('NOT_FOUND', `the registered model ${JSON.stringify(name)} has no version ${version}.`);
  }

  #requireRun(runId: string): { user_id: string | null; artifact_uri: string | null } {
    const run = this.db.get<{ user_id: string | null; artifact_uri: string | null }>(
      'SELECT user_id, artifact_uri FROM runs WHERE run_uuid = ?',
      runId,
    );
    if (run === undefined) throw new HubError('NOT_FOUND', `there is no run ${JSON.stringify(runId)}.`);
    return run;
  }

  /** Where a source lies: `runs:/<run>/<path>` below that run's artifacts, `models:/<name>/<version>` as that version. */
  #resolve(source: string): string {
    const ofRun = /^runs:\/+([^/]+)(\/.*)?$/.exec(source);
    if (ofRun !== null) {
      const [, runId = '', path = ''] = ofRun;
      if (path.split('/').includes('..')) throw invalid(`the source ${JSON.stringify(source)} may not hold "..".`);
      return `${this.#requireRun(runId).artifact_uri ?? ''}${path}`.slice(0, LIMITS.source);
    }
    const ofModel = /^models:\/+([^/]+)\/(\d+)$/.exec(source);
    if (ofModel === null) return source;
    const [, name = '', version = ''] = ofModel;
    this.ensure(name, version);
    const stored = this.db.get<{ location: string | null }>(
      'SELECT coalesce(storage_location, source) AS location FROM model_versions WHERE name = ? AND version = ?',
      name,
      Number(version),
    );
    return stored?.location ?? source;
  }

  #setTag(name: string, version: number, key: string, value: string): void {
    const changed = this.db.run(
      'UPDATE model_version_tags SET value = ? WHERE name = ? AND version = ? AND key = ?',
      value,
      name,
      version,
      key,
    );
    if (changed > 0) return;
    this.db.run(
      'INSERT INTO model_version_tags (key, value, name, version) VALUES (?, ?, ?, ?)',
      key,
      value,
      name,
      version,
    );
  }

  #touch(name: string, version: number): void {
    this.db.run(
      'UPDATE model_versions SET last_updated_time = ? WHERE name = ? AND version = ?',
      Date.now(),
      name,
      version,
    );
    this.models.touch(name);
  }

  #entity(row: VersionRow): ModelVersion {
    const { name, version } = row;
    const tags = this.db.all<TagRow>(
      'SELECT name AS owner, key, value FROM model_version_tags WHERE name = ? AND version = ? ORDER BY key',
      name,
      version,
    );
    const aliases = this.db.all<{ alias: string }>(
      'SELECT alias FROM registered_model_aliases WHERE name = ? AND version = ? ORDER BY alias',
      name,
      version,
    );
    return {
      name,
      version: String(version),
      description: row.description ?? '',
      source: row.source ?? '',
      runId: row.run_id === '' ? null : row.run_id,
      status: row.status ?? 'READY',
      creationTime: row.creation_time ?? 0,
      lastUpdateTime: row.last_updated_time ?? 0,
      tags: groupTags(tags).get(name) ?? {},
      aliases: aliases.map((item) => item.alias),
    };
  }
}
