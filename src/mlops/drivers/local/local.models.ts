import { HubError } from '../../../core/errors.js';
import {
  checkAlias,
  checkKey,
  checkModelName,
  checkTags,
  checkText,
  checkVersion,
  LIMITS,
} from '../../mlops.validation.js';
import type { RegisteredModel, ScalarMap } from '../../mlops.types.js';
import type { LocalDatabase } from './local.database.js';
import type { GroupCommit } from './local.group-commit.js';
import { groupTags, type TagRow } from './local.rows.js';

interface ModelRow {
  name: string;
  description: string | null;
  creation_time: number | null;
  last_updated_time: number | null;
}

const COLUMNS = 'name, description, creation_time, last_updated_time';

/** The registered models with their tags and aliases. */
export class LocalModels {
  constructor(
    private readonly db: LocalDatabase,
    private readonly commits: GroupCommit,
  ) {}

  async create(name: string, options: { description?: string; tags?: ScalarMap } = {}): Promise<RegisteredModel> {
    checkModelName(name);
    const description = checkText(options.description ?? '', 'a description', LIMITS.description);
    const tags = checkTags(options.tags, LIMITS.registryTagValue);
    return this.commits.write(() => {
      this.#ensureFree(name);
      const now = Date.now();
      this.db.run(`INSERT INTO registered_models (${COLUMNS}) VALUES (?, ?, ?, ?)`, name, description, now, now);
      for (const [key, value] of tags) this.#setTag(name, key, value);
      return this.#entity(this.require(name));
    });
  }

  async get(name: string): Promise<RegisteredModel> {
    return this.commits.read(() => this.#entity(this.require(name)));
  }

  /** The models of those names that still exist, in their order. */
  list(names: readonly string[]): Promise<RegisteredModel[]> {
    return this.commits.read(() =>
      names.flatMap((name) => {
        const row = this.#find(name);
        return row === undefined ? [] : [this.#entity(row)];
      }),
    );
  }

  async update(name: string, changes: { description: string }): Promise<RegisteredModel> {
    const description = checkText(changes.description, 'a description', LIMITS.description);
    return this.commits.write(() => {
      this.require(name);
      this.db.run('UPDATE registered_models SET description = ? WHERE name = ?', description, name);
      this.touch(name);
      return this.#entity(this.require(name));
    });
  }

  /** Renames the model; the foreign keys carry the name to its versions, tags and aliases. */
  async rename(name: string, newName: string): Promise<RegisteredModel> {
    checkModelName(newName);
    return this.commits.write(() => {
      this.require(name);
      if (newName !== name) this.#ensureFree(newName);
      const now = Date.now();
      this.db.run('UPDATE registered_models SET name = ?, last_updated_time = ? WHERE name = ?', newName, now, name);
      this.db.run('UPDATE model_versions SET last_updated_time = ? WHERE name = ?', now, newName);
      return this.#entity(this.require(newName));
    });
  }

  async delete(name: string): Promise<void> {
    await this.commits.write(() => {
      this.require(name);
      for (const table of [
        'model_version_tags',
        'model_versions',
        'registered_model_aliases',
        'registered_model_tags',
      ]) {
        this.db.run(`DELETE FROM ${table} WHERE name = ?`, name);
      }
      this.db.run('DELETE FROM registered_models WHERE name = ?', name);
    });
  }

  async setTag(name: string, key: string, value: string | number | boolean): Promise<void> {
    const tags = checkTags({ [key]: value }, LIMITS.registryTagValue);
    await this.commits.write(() => {
      this.require(name);
      for (const [, text] of tags) this.#setTag(name, key, text);
      this.touch(name);
    });
  }

  async deleteTag(name: string, key: string): Promise<void> {
    checkKey(key, 'tag');
    await this.commits.write(() => {
      this.require(name);
      this.db.run('DELETE FROM registered_model_tags WHERE name = ? AND key = ?', name, key);
      this.touch(name);
    });
  }

  /** @param ensureVersion throws `NOT_FOUND` when the model has no such version */
  async setAlias(name: string, alias: string, version: string, ensureVersion: () => void): Promise<void> {
    checkAlias(alias);
    const number = checkVersion(version);
    await this.commits.write(() => {
      this.require(name);
      ensureVersion();
      const moved = this.db.run(
        'UPDATE registered_model_aliases SET version = ? WHERE name = ? AND alias = ?',
        number,
        name,
        alias,
      );
      if (moved === 0) {
        this.db.run(
          'INSERT INTO registered_model_aliases (alias, version, name) VALUES (?, ?, ?)',
          alias,
          number,
          name,
        );
      }
      this.touch(name);
    });
  }

  async deleteAlias(name: string, alias: string): Promise<void> {
    checkAlias(alias);
    await this.commits.write(() => {
      this.require(name);
      this.db.run('DELETE FROM registered_model_aliases WHERE name = ? AND alias = ?', name, alias);
      this.touch(name);
    });
  }

  /** `NOT_FOUND` when there is no such model. Only inside `read` or `write`. */
  require(name: string): ModelRow {
    checkModelName(name);
    const row = this.#find(name);
    if (row === undefined) throw new HubError('NOT_FOUND', `there is no registered model ${JSON.stringify(name)}.`);
    return row;
  }

  /** Notes that the model has changed. Only inside `write`. */
  touch(name: string): void {
    this.db.run('UPDATE registered_models SET last_updated_time = ? WHERE name = ?', Date.now(), name);
  }

  #find(name: string): ModelRow | undefined {
    return this.db.get<ModelRow>(`SELECT ${COLUMNS} FROM registered_models WHERE name = ?`, name);
  }

  #ensureFree(name: string): void {
    if (this.#find(name) === undefined) return;
    throw new HubError('ALREADY_EXISTS', `there is a registered model ${JSON.stringify(name)} already.`);
  }

  #setTag(name: string, key: string, value: string): void {
    if (this.db.run('UPDATE registered_model_tags SET value = ? WHERE name = ? AND key = ?', value, name, key) > 0)
      return;
    this.db.run('INSERT INTO registered_model_tags (key, value, name) VALUES (?, ?, ?)', key, value, name);
  }

  #entity(row: ModelRow): RegisteredModel {
    const tags = this.db.all<TagRow>(
      'SELECT name AS owner, key, value FROM registered_model_tags WHERE name = ? ORDER BY key',
      row.name,
    );
    const aliases = this.db.all<TagRow>(
      'SELECT name AS owner, alias AS key, CAST(version AS TEXT) AS value FROM registered_model_aliases WHERE name = ? ORDER BY alias',
      row.name,
    );
    return {
      name: row.name,
      description: row.description ?? '',
      creationTime: row.creation_time ?? 0,
      lastUpdateTime: row.last_updated_time ?? 0,
      tags: groupTags(tags).get(row.name) ?? {},
      aliases: groupTags(aliases).get(row.name) ?? {},
    };
  }
}
