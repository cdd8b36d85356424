import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { HubError } from '../../../core/errors.js';
import {
  checkFinalStatus,
  checkKey,
  checkParams,
  checkTags,
  checkText,
  checkTime,
  invalid,
  LIMITS,
} from '../../mlops.validation.js';
import type { FinalRunStatus, Run, StartRunOptions } from '../../mlops.types.js';
import type { ArtifactFolders } from './local.artifact-folders.js';
import type { ArtifactRoots } from './local.artifacts.js';
import type { LocalDatabase } from './local.database.js';
import type { LocalExperiments } from './local.experiments.js';
import type { GroupCommit } from './local.group-commit.js';
import { LocalRunLog } from './local.run-log.js';
import { RUN_COLUMNS, RunReader, type RunRow } from './local.run-reader.js';
import { randomRunName } from './local.run-names.js';

const NAME_TAG = 'mlflow.runName';

/** The life of runs: start, end, rename, delete, restore. */
export class LocalRuns implements ArtifactRoots {
  readonly log: LocalRunLog;
  readonly #reader: RunReader;

  constructor(
    private readonly db: LocalDatabase,
    private readonly commits: GroupCommit,
    private readonly experiments: LocalExperiments,
    private readonly folders: ArtifactFolders,
  ) {
    this.log = new LocalRunLog(db, commits, this);
    this.#reader = new RunReader(db);
  }

  async start(experimentId: string, options: StartRunOptions = {}): Promise<Run> {
    const params = checkParams(options.params);
    const startTime = checkTime(options.startTime ?? Date.now(), 'startTime');
    const userId = checkText(options.userId ?? currentUser(), 'userId', LIMITS.userId);
    const given = new Map(checkTags(options.tags));
    const nameTag = given.get(NAME_TAG);
    const runName = checkText(options.runName ?? nameTag ?? randomRunName(), "a run's name", LIMITS.runName, false);
    if (nameTag !== undefined && nameTag !== runName) {
      throw invalid(`runName and the tag ${NAME_TAG} say different names. Give one of them.`);
    }
    const { parentRunId } = options;
    const tags = new Map([
      ['mlflow.user', userId],
      ['mlflow.source.name', (process.argv[1] ?? '').slice(0, LIMITS.tagValue)],
      ['mlflow.source.type', 'LOCAL'],
      ...given,
      [NAME_TAG, runName],
      ...(parentRunId === undefined ? [] : [['mlflow.parentRunId', parentRunId] as const]),
    ]);
    const runId = randomUUID().replaceAll('-', '');
    return this.commits.write(() => {
      const experiment = this.experiments.requireActive(experimentId);
      if (parentRunId !== undefined) this.require(parentRunId);
      const uri = `${experiment.artifact_location ?? ''}/${runId}/artifacts`;
      this.db.run(
        `INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,
           end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)
         VALUES (?, ?, 'UNKNOWN', '', '', ?, 'RUNNING', ?, NULL, '', 'active', ?, ?)`,
        runId,
        runName,
        userId,
        startTime,
        uri,
        experiment.experiment_id,
      );
      this.log.insert(runId, { metrics: [], params, tags: [...tags] });
      return this.#reader.one(this.require(runId));
    });
  }

  async end(runId: string, status: FinalRunStatus = 'FINISHED', endTime = Date.now()): Promise<void> {
    checkFinalStatus(status);
    const time = checkTime(endTime, 'endTime');
    await this.commits.write(() => {
      this.requireActive(runId);
      this.db.run('UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?', status, time, runId);
    });
  }

  get(runId: string): Promise<Run> {
    return this.commits.read(() => this.#reader.one(this.require(runId)));
  }

  /** The runs of those ids that still exist, in their order. */
  list(runIds: readonly string[]): Promise<Run[]> {
    return this.commits.read(() => this.#reader.many(runIds));
  }

  async rename(runId: string, runName: string): Promise<void> {
    checkText(runName, "a run's name", LIMITS.runName, false);
    await this.log.write(runId, { metrics: [], params: [], tags: [[NAME_TAG, runName]] });
  }

  async delete(runId: string): Promise<void> {
    await this.commits.write(() => {
      if (this.require(runId).lifecycle_stage === 'deleted') return;
      this.db.run(
        "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE run_uuid = ?",
        Date.now(),
        runId,
      );
    });
  }

  async restore(runId: string): Promise<void> {
    await this.commits.write(() => {
      this.require(runId);
      this.db.run("UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE run_uuid = ?", runId);
    });
  }

  async deleteTag(runId: string, key: string): Promise<void> {
    checkKey(key, 'tag');
    await this.commits.write(() => {
      this.requireActive(runId);
      if (this.db.run('DELETE FROM tags WHERE run_uuid = ? AND key = ?', runId, key) > 0) return;
      throw new HubError('NOT_FOUND', `run ${runId} has no tag ${JSON.stringify(key)}.`);
    });
  }

  rootOf(runId: string, active: boolean): Promise<string> {
    return this.commits.read(() => {
      const { artifact_uri: uri } = active ? this.requireActive(runId) : this.require(runId);
      return this.folders.folderOf(uri ?? '');
    });
  }

  /** The row of that id, or `NOT_FOUND`. Only inside `read` or `write`. */
  require(runId: string): RunRow {
    if (typeof runId !== 'string') throw invalid('a run id has to be a string.');
    const row = this.db.get<RunRow>(`SELECT ${RUN_COLUMNS} FROM runs WHERE run_uuid = ?`, runId);
    if (row === undefined) throw new HubError('NOT_FOUND', `there is no run ${JSON.stringify(runId.slice(0, 80))}.`);
    return row;
  }

  /** As {@link require}, and `CONFLICT` when it is deleted. */
  requireActive(runId: string): RunRow {
    const row = this.require(runId);
    if (row.lifecycle_stage === 'active') return row;
    throw new HubError('CONFLICT', `run ${runId} is deleted; restore it first.`);
  }
}

function currentUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user id may have no entry in /etc/passwd.
    return 'unknown';
  }
}
