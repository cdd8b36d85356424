import { LocalArtifacts } from './local.artifacts.js';
import { ArtifactFolders } from './local.artifact-folders.js';
import { LocalDatabase } from './local.database.js';
import { LocalExperiments } from './local.experiments.js';
import { GroupCommit } from './local.group-commit.js';
import { LocalModels } from './local.models.js';
import { LocalModelVersions } from './local.model-versions.js';
import type { LocalMLOpsOptions } from './local.options.js';
import { LocalRuns } from './local.runs.js';
import { LocalSearches } from './local.searches.js';

/** Everything behind an open {@link LocalMLOpsPlugin}: the database, its tables, and the artifact files. */
export class LocalEngine {
  readonly commits: GroupCommit;
  readonly experiments: LocalExperiments;
  readonly runs: LocalRuns;
  readonly artifacts: LocalArtifacts;
  readonly models: LocalModels;
  readonly versions: LocalModelVersions;
  readonly searches: LocalSearches;

  private constructor(
    readonly db: LocalDatabase,
    private readonly folders: ArtifactFolders,
    { durability }: LocalMLOpsOptions,
  ) {
    this.commits = new GroupCommit(db);
    this.experiments = new LocalExperiments(db, this.commits, folders);
    this.runs = new LocalRuns(db, this.commits, this.experiments, folders);
    this.artifacts = new LocalArtifacts(this.runs, folders, durability);
    this.models = new LocalModels(db, this.commits);
    this.versions = new LocalModelVersions(db, this.commits, this.models);
    this.searches = new LocalSearches(db, this.commits, this);
  }

  /** Opens database and folder. `UNAVAILABLE`, `CONFIG_INVALID`; nothing is left open then. */
  static async open(options: LocalMLOpsOptions): Promise<LocalEngine> {
    const folders = ArtifactFolders.open(options);
    let db: LocalDatabase | undefined;
    try {
      db = await LocalDatabase.open(options);
      const engine = new LocalEngine(db, folders, options);
      await engine.experiments.ensureDefault();
      return engine;
    } catch (error) {
      db?.close();
      folders.close();
      throw error;
    }
  }

  /** Resolves when all writes and uploads begun so far have ended. */
  async settled(): Promise<void> {
    await this.artifacts.inFlight.settled();
    await this.commits.settled();
  }

  /** Closes the database after the writes begun so far; uploads under way are abandoned. */
  async close(): Promise<void> {
    this.artifacts.close();
    await this.commits.settled();
    this.db.close();
    this.folders.close();
  }
}
