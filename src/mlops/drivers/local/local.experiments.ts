import { HubError } from '../../../core/errors.js';
import { checkKey, checkTags, checkText, invalid, LIMITS } from '../../mlops.validation.js';
import type { CreateExperimentOptions, Experiment, LifecycleStage } from '../../mlops.types.js';
import type { ArtifactFolders } from './local.artifact-folders.js';
import type { LocalDatabase } from './local.database.js';
import type { GroupCommit } from './local.group-commit.js';
import { groupTags, type TagRow } from './local.rows.js';

interface ExperimentRow {
  experiment_id: number;
  name: string;
  artifact_location: string | null;
  lifecycle_stage: LifecycleStage;
  creation_time: number | null;
  last_update_time: number | null;
}

const COLUMNS = 'experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time';

/** The rows of experiments and their tags. */
export class LocalExperiments {
  constructor(
    private readonly db: LocalDatabase,
    private readonly commits: GroupCommit,
    private readonly folders: ArtifactFolders,
  ) {}

  /** Makes experiment 0, as MLflow does. */
  async ensureDefault(): Promise<void> {
    await this.commits.write(() => {
      if (this.find(0) === undefined) this.#insert(0, 'Default', this.folders.locationOf(0));
    });
  }

  async create(name: string, options: CreateExperimentOptions = {}): Promise<string> {
    checkText(name, "an experiment's name", LIMITS.experimentName, false);
    const tags = checkTags(options.tags, LIMITS.experimentTagValue);
    const location =
      options.artifactLocation === undefined ? undefined : this.folders.checkLocation(options.artifactLocation);
    return this.commits.write(() => {
      this.#ensureFree(name);
      const last = this.db.get<{ id: number }>('SELECT coalesce(max(experiment_id), 0) AS id FROM experiments');
      const id = (last?.id ?? 0) + 1;
      this.#insert(id, name, location ?? this.folders.locationOf(id));
      for (const [key, value] of tags) this.#setTag(id, key, value);
      return String(id);
    });
  }

  get(experimentId: string): Promise<Experiment> {
    return this.commits.read(() => this.#entity(this.require(experimentId)));
  }

  getByName(name: string): Promise<Experiment | null> {
    return this.commits.read(() => {
      const row = this.#findByName(name);
      return row === undefined ? null : this.#entity(row);
    });
  }

  /** The experiments of those ids that still exist, in their order. */
  list(ids: readonly number[]): Promise<Experiment[]> {
    return this.commits.read(() =>
      ids.flatMap((id) => {
        const row = this.find(id);
        return row === undefined ? [] : [this.#entity(row)];
      }),
    );
  }

  async rename(experimentId: string, newName: string): Promise<void> {
    checkText(newName, "an experiment's name", LIMITS.experimentName, false);
    await this.commits.write(() => {
      const { experiment_id: id, name } = this.requireActive(experimentId);
      if (name !== newName) this.#ensureFree(newName);
      this.db.run(
        'UPDATE experiments SET name = ?, last_update_time = ? WHERE experiment_id = ?',
        newName,
        Date.now(),
        id,
      );
    });
  }

  /** Marks the experiment and its runs deleted. */
  async delete(experimentId: string): Promise<void> {
    await this.commits.write(() => {
      const now = Date.now();
      const { experiment_id: id } = this.requireActive(experimentId);
      this.#setStage(id, 'deleted', now);
      this.db.run(
        "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE experiment_id = ? AND lifecycle_stage = 'active'",
        now,
        id,
      );
    });
  }

  /** Marks the experiment and its runs active. */
  async restore(experimentId: string): Promise<void> {
    await this.commits.write(() => {
      const { experiment_id: id, lifecycle_stage: stage } = this.require(experimentId);
      if (stage === 'active') throw new HubError('CONFLICT', `experiment ${experimentId} is active already.`);
      this.#setStage(id, 'active', Date.now());
      this.db.run("UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE experiment_id = ?", id);
    });
  }

  async setTag(experimentId: string, key: string, value: string | number | boolean): Promise<void> {
    const [[, text] = [key, '']] = checkTags({ [key]: value }, LIMITS.experimentTagValue);
    await this.commits.write(() => {
      const { experiment_id: id } = this.requireActive(experimentId);
      this.#setTag(id, key, text);
      this.#touch(id);
    });
  }

  async deleteTag(experimentId: string, key: string): Promise<void> {
    checkKey(key, 'tag');
    await this.commits.write(() => {
      const { experiment_id: id } = this.requireActive(experimentId);
      if (this.db.run('DELETE FROM experiment_tags WHERE experiment_id = ? AND key = ?', id, key) === 0) {
        throw new HubError('NOT_FOUND', `experiment ${experimentId} has no tag ${JSON.stringify(key)}.`);
      }
      this.#touch(id);
    });
  }

  /** The row of that id. Only inside `read` or `write`. */
  find(id: number): ExperimentRow | undefined {
    return this.db.get<ExperimentRow>(`SELECT ${COLUMNS} FROM experiments WHERE experiment_id = ?`, id);
  }

  /** The row of that id, or `NOT_FOUND`. Only inside `read` or `write`. */
  require(experimentId: string): ExperimentRow {
    if (typeof experimentId !== 'string') throw invalid('an experiment id has to be a string.');
    const row = /^\d{1,15}$/.test(experimentId) ? this.find(Number(experimentId)) : undefined;
    if (row === undefined) throw new HubError('NOT_FOUND', `there is no experiment ${JSON.stringify(experimentId)}.`);
    return row;
  }

  /** As {@link require}, and `CONFLICT` when it is deleted. */
  requireActive(experimentId: string): ExperimentRow {
    const row = this.require(experimentId);
    if (row.lifecycle_stage === 'active') return row;
    throw new HubError('CONFLICT', `experiment ${experimentId} is deleted; restore it first.`);
  }

  #insert(id: number, name: string, location: string): void {
    const now = Date.now();
    this.db.run(`INSERT INTO experiments (${COLUMNS}) VALUES (?, ?, ?, 'active', ?, ?)`, id, name, location, now, now);
  }

  #findByName(name: string): ExperimentRow | undefined {
    return this.db.get<ExperimentRow>(`SELECT ${COLUMNS} FROM experiments WHERE name = ?`, name);
  }

  #ensureFree(name: string): void {
    const taken = this.#findByName(name);
    if (taken === undefined) return;
    const hint = taken.lifecycle_stage === 'deleted' ? ' It is deleted: restore it, or choose another name.' : '';
    throw new HubError('ALREADY_EXISTS', `there is an experiment called ${JSON.stringify(name)} already.${hint}`);
  }

  #setStage(id: number, stage: LifecycleStage, now: number): void {
    this.db.run(
      'UPDATE experiments SET lifecycle_stage = ?, last_update_time = ? WHERE experiment_id = ?',
      stage,
      now,
      id,
    );
  }

  #setTag(id: number, key: string, value: string): void {
    if (this.db.run('UPDATE experiment_tags SET value = ? WHERE experiment_id = ? AND key = ?', value, id, key) > 0)
      return;
    this.db.run('INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)', key, value, id);
  }

  #touch(id: number): void {
    this.db.run('UPDATE experiments SET last_update_time = ? WHERE experiment_id = ?', Date.now(), id);
  }

  #entity(row: ExperimentRow): Experiment {
    const tags = this.db.all<TagRow>(
      'SELECT experiment_id AS owner, key, value FROM experiment_tags WHERE experiment_id = ? ORDER BY key',
      row.experiment_id,
    );
    return {
      experimentId: String(row.experiment_id),
      name: row.name,
      artifactLocation: row.artifact_location ?? '',
      lifecycleStage: row.lifecycle_stage,
      creationTime: row.creation_time ?? 0,
      lastUpdateTime: row.last_update_time ?? 0,
      tags: groupTags(tags).get(row.experiment_id) ?? {},
    };
  }
}
