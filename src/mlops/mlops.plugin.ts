import { Readable } from 'node:stream';
import { HubError } from '../core/errors.js';
import { toJson } from '../core/json.js';
import type { ObservedCalls } from '../core/observed-calls.js';
import { HubPlugin } from '../core/plugin.js';
import type {
  ArtifactInfo,
  CreateExperimentOptions,
  CreateModelVersionOptions,
  DatasetInput,
  Experiment,
  FinalRunStatus,
  Metric,
  MetricInput,
  MLOpsSupports,
  ModelVersion,
  RegisteredModel,
  Run,
  RunBatch,
  ScalarMap,
  SearchOptions,
  SearchRunsOptions,
  StagedSearchOptions,
  StartRunOptions,
} from './mlops.types.js';
import { bufferOf, filesBelow, joinPath, readableFile } from './mlops.artifacts.js';
import { runInRun, type ActiveRun } from './mlops.active-run.js';
import { observeMLOps } from './mlops.telemetry.js';

declare module '../core/plugin-types.js' {
  interface PluginTypes {
    mlops: MLOpsPlugin;
  }
}

/**
 * Tracks experiments, runs, metrics, params, tags and artifacts, and keeps the model registry. The class is the
 * injection token; names and meaning follow MLflow's Python client (https://mlflow.org/docs/latest/api_reference/).
 *
 * Contract, beyond each method's own words:
 * - A promise that resolved means stored (or, where a driver buffers, durably spooled): a later read sees it.
 * - Calls for one run take effect in the order in which they were made, awaited or not.
 * - Unknown ids are `NOT_FOUND`; writing to a deleted run or experiment is `CONFLICT`; a bad key, value or name is
 *   `INVALID_ARGUMENT`; before `initialize()` and after `shutdown()` every call is `CLOSED`.
 * - Keys: at most 250 characters of letters, digits and `_ - . : / space`, normalised as a path (no `//`, no `..`, not
 *   absolute). Param values are at most 6000 characters, tag values 8000; longer ones are `INVALID_ARGUMENT`, not cut, and so
 *   is text with the character 0 or half of a surrogate pair.
 * - Searches and histories are async iterators over everything that matches; pages are hidden.
 * - There is no "active run" in the process: a run is always named by its id.
 */
export abstract class MLOpsPlugin extends HubPlugin<MLOpsSupports> {
  override readonly pluginType = 'mlops';

  protected override onObserve(calls: ObservedCalls): void {
    observeMLOps(this, calls);
  }

  /**
   * Points the driver at another backend. Only before the first use; afterwards, and for drivers without
   * `supports.trackingUri`, it throws `UNSUPPORTED`.
   */
  abstract setTrackingUri(uri: string): void;

  /** Creates an experiment and resolves to its id. `ALREADY_EXISTS` also when a deleted one has the name. */
  abstract createExperiment(name: string, options?: CreateExperimentOptions): Promise<string>;
  /** The experiment of that id, deleted ones included. `NOT_FOUND`. */
  abstract getExperiment(experimentId: string): Promise<Experiment>;
  /** The experiment of that name, deleted ones included, or `null`. */
  abstract getExperimentByName(name: string): Promise<Experiment | null>;
  /** Attributes to filter by: `name`, `creation_time`, `last_update_time`, and `tags.<key>`. Newest first by default. */
  abstract searchExperiments(options?: StagedSearchOptions): AsyncIterable<Experiment>;
  /** `ALREADY_EXISTS` when the name is taken. */
  abstract renameExperiment(experimentId: string, newName: string): Promise<void>;
  /** Marks it deleted, and its runs with it; nothing is erased. A second call is `CONFLICT`. */
  abstract deleteExperiment(experimentId: string): Promise<void>;
  /** Undoes {@link deleteExperiment}, runs included. `CONFLICT` when it is active. */
  abstract restoreExperiment(experimentId: string): Promise<void>;
  /** Sets or overwrites a tag. */
  abstract setExperimentTag(experimentId: string, key: string, value: string | number | boolean): Promise<void>;
  /** `NOT_FOUND` when there is no such tag; `UNSUPPORTED` without `supports.experimentTagDeletion`. */
  abstract deleteExperimentTag(experimentId: string, key: string): Promise<void>;

  /** Creates a run with status RUNNING. */
  abstract startRun(experimentId: string, options?: StartRunOptions): Promise<Run>;
  /**
   * Ends a run, after all its earlier writes are stored. Ending it again overwrites status and time.
   * @param status default FINISHED
   * @param endTime ms since 1970, default now
   */
  abstract endRun(runId: string, status?: FinalRunStatus, endTime?: number): Promise<void>;
  /** The run with everything logged so far, deleted ones included. `NOT_FOUND`. */
  abstract getRun(runId: string): Promise<Run>;
  /** Attributes to filter by: `run_id`, `run_name`, `status`, `start_time`, `end_time`, `user_id`, `artifact_uri`, and `metrics.`, `params.`, `tags.`. Latest start first by default. */
  abstract searchRuns(options: SearchRunsOptions): AsyncIterable<Run>;
  /** Changes the name (and the tag `mlflow.runName` with it). */
  abstract renameRun(runId: string, runName: string): Promise<void>;
  /** Marks the run deleted; nothing is erased. Deleting it again has no effect. */
  abstract deleteRun(runId: string): Promise<void>;
  /** Undoes {@link deleteRun}. Restoring an active run has no effect. */
  abstract restoreRun(runId: string): Promise<void>;

  /**
   * Logs metrics, params and tags, all or nothing. A point equal to a stored one in key, step, timestamp and value is
   * stored once. A param is write-once: the same value again is accepted, another is `CONFLICT`, and of racing writers
   * exactly one wins. `INVALID_ARGUMENT` names the first bad item.
   */
  abstract logBatch(runId: string, batch: RunBatch): Promise<void>;
  /** `NOT_FOUND` when there is no such tag. */
  abstract deleteTag(runId: string, key: string): Promise<void>;
  /** Notes data sets that the run used. The same (name, digest) twice is stored once. */
  abstract logInputs(runId: string, datasets: readonly DatasetInput[]): Promise<void>;
  /** All points of a metric by step, then timestamp. An unknown key gives none; an unknown run is `NOT_FOUND`. */
  abstract getMetricHistory(runId: string, key: string, options?: { signal?: AbortSignal }): AsyncIterable<Metric>;
  /** Resolves when everything that was logged before the call is stored on the backend. */
  abstract flush(): Promise<void>;

  /**
   * Stores a stream under `path` among the run's artifacts; an existing file is replaced, and a half-written one is
   * never visible. `INVALID_ARGUMENT` for a path that is empty, absolute or leaves the root.
   */
  abstract logStream(runId: string, content: Readable, path: string): Promise<void>;
  /** The entries directly below `path` (default the root), folders first, then by name. A missing path gives none. */
  abstract listArtifacts(runId: string, path?: string): Promise<ArtifactInfo[]>;
  /** The content of one artifact file. `NOT_FOUND`. Errors after the start come through the stream. */
  abstract readArtifact(runId: string, path: string): Promise<Readable>;
  /**
   * Copies an artifact file or folder into the local folder `destination` (created when missing) and resolves to the
   * local path of what was copied. Nothing is written outside `destination`. `NOT_FOUND`.
   */
  abstract downloadArtifacts(runId: string, path: string, destination: string): Promise<string>;
  /** Removes an artifact file or folder; a missing one has no effect. */
  abstract deleteArtifacts(runId: string, path: string): Promise<void>;

  /** `ALREADY_EXISTS`. */
  abstract createRegisteredModel(
    name: string,
    options?: { description?: string; tags?: ScalarMap },
  ): Promise<RegisteredModel>;
  /** `NOT_FOUND`. */
  abstract getRegisteredModel(name: string): Promise<RegisteredModel>;
  /** Changes the description. */
  abstract updateRegisteredModel(name: string, changes: { description: string }): Promise<RegisteredModel>;
  /** Renames the model, its versions, tags and aliases. `ALREADY_EXISTS`. */
  abstract renameRegisteredModel(name: string, newName: string): Promise<RegisteredModel>;
  /** Removes the model with its versions, tags and aliases. */
  abstract deleteRegisteredModel(name: string): Promise<void>;
  /** Attributes to filter by: `name`, and `tags.<key>`. By name by default. */
  abstract searchRegisteredModels(options?: SearchOptions): AsyncIterable<RegisteredModel>;
  /** Sets or overwrites a tag. `NOT_FOUND` for the model. */
  abstract setRegisteredModelTag(name: string, key: string, value: string | number | boolean): Promise<void>;
  /** `NOT_FOUND` when there is no such model; a missing tag has no effect. */
  abstract deleteRegisteredModelTag(name: string, key: string): Promise<void>;
  /** Points `alias` to a version, moving it from another. Aliases: letters, digits, `_`, `-`; not `latest`, not `v<number>`. */
  abstract setRegisteredModelAlias(name: string, alias: string, version: string): Promise<void>;
  /** A missing alias has no effect. */
  abstract deleteRegisteredModelAlias(name: string, alias: string): Promise<void>;

  /**
   * Adds the next version, from 1; a number is never used again while the model exists. A source `runs:/<id>/…` says the
   * run, too. `NOT_FOUND` for the model and the run.
   */
  abstract createModelVersion(name: string, options: CreateModelVersionOptions): Promise<ModelVersion>;
  /** `NOT_FOUND`. */
  abstract getModelVersion(name: string, version: string): Promise<ModelVersion>;
  /** The version that `alias` points to, or `null` when the model has no such alias. `NOT_FOUND` for the model. */
  abstract getModelVersionByAlias(name: string, alias: string): Promise<ModelVersion | null>;
  /** Changes the description. */
  abstract updateModelVersion(name: string, version: string, changes: { description: string }): Promise<ModelVersion>;
  /** Removes the version and the aliases that point to it. */
  abstract deleteModelVersion(name: string, version: string): Promise<void>;
  /** Attributes to filter by: `name`, `version_number`, `run_id`, `source_path`, and `tags.<key>`. By name, latest version first. */
  abstract searchModelVersions(options?: SearchOptions): AsyncIterable<ModelVersion>;
  /** Sets or overwrites a tag. `NOT_FOUND` for the version. */
  abstract setModelVersionTag(
    name: string,
    version: string,
    key: string,
    value: string | number | boolean,
  ): Promise<void>;
  /** A missing tag has no effect. */
  abstract deleteModelVersionTag(name: string, version: string, key: string): Promise<void>;

  /** {@link logBatch} of one metric point; by default of step 0, now. */
  logMetric(
    runId: string,
    key: string,
    value: number,
    options: { step?: number; timestamp?: number } = {},
  ): Promise<void> {
    return this.logBatch(runId, { metrics: [{ key, value, ...options }] });
  }

  /**
   * {@link logBatch} of metric points. The options are the defaults of each point; without a timestamp all get the same,
   * now.
   */
  async logMetrics(
    runId: string,
    metrics: readonly MetricInput[] | Record<string, number>,
    options: { step?: number; timestamp?: number } = {},
  ): Promise<void> {
    const defaults = { ...options, timestamp: options.timestamp ?? Date.now() };
    const list: readonly MetricInput[] = Array.isArray(metrics)
      ? (metrics as readonly MetricInput[]).map((point) => ({ ...defaults, ...point }))
      : Object.entries(metrics).map(([key, value]) => ({ key, value, ...defaults }));
    await this.logBatch(runId, { metrics: list });
  }

  /** {@link logBatch} of one param. */
  async logParam(runId: string, key: string, value: string | number | boolean): Promise<void> {
    await this.logBatch(runId, { params: { [key]: value } });
  }

  /** {@link logBatch} of params. */
  async logParams(runId: string, params: ScalarMap): Promise<void> {
    await this.logBatch(runId, { params });
  }

  /** {@link logBatch} of one tag, set or overwritten. */
  async setTag(runId: string, key: string, value: string | number | boolean): Promise<void> {
    await this.logBatch(runId, { tags: { [key]: value } });
  }

  /** {@link logBatch} of tags. */
  async setTags(runId: string, tags: ScalarMap): Promise<void> {
    await this.logBatch(runId, { tags });
  }

  /** Stores a local file under its own name, below `artifactPath` when given. Symbolic links are refused. */
  async logArtifact(runId: string, localPath: string, artifactPath = ''): Promise<void> {
    const { name, open } = await readableFile(localPath);
    await this.logStream(runId, open(), joinPath(artifactPath, name));
  }

  /** Stores all files below a local folder, below `artifactPath` when given. Symbolic links are refused. */
  async logArtifacts(runId: string, localFolder: string, artifactPath = ''): Promise<void> {
    for await (const { relativePath, open } of filesBelow(localFolder)) {
      await this.logStream(runId, open(), joinPath(artifactPath, relativePath));
    }
  }

  /** Stores bytes as one artifact file. */
  async logBytes(runId: string, content: Uint8Array, path: string): Promise<void> {
    await this.logStream(runId, Readable.from([Buffer.from(content)]), path);
  }

  /** Stores text as UTF-8. */
  async logText(runId: string, text: string, path: string): Promise<void> {
    await this.logBytes(runId, Buffer.from(text, 'utf8'), path);
  }

  /** Stores a value as indented JSON (MLflow's `log_dict`). `PAYLOAD_INVALID` for what JSON cannot carry. */
  async logDict(runId: string, value: unknown, path: string): Promise<void> {
    await this.logText(runId, JSON.stringify(JSON.parse(toJson(value, 'the artifact')), undefined, 2), path);
  }

  /** The whole content of one artifact file. `NOT_FOUND`. */
  async readArtifactBytes(runId: string, path: string): Promise<Buffer> {
    return bufferOf(await this.readArtifact(runId, path));
  }

  /** The id of the experiment called `name`, created when missing; safe against racing creators. */
  async ensureExperiment(name: string, options?: CreateExperimentOptions): Promise<string> {
    const existing = await this.getExperimentByName(name);
    if (existing !== null) return existing.experimentId;
    try {
      return await this.createExperiment(name, options);
    } catch (error) {
      if (!HubError.is(error, 'ALREADY_EXISTS')) throw error;
      const winner = await this.getExperimentByName(name);
      if (winner === null) throw error;
      return winner.experimentId;
    }
  }

  /**
   * Starts a run in the experiment called `experimentName` (created when missing), runs `work` and ends the run:
   * FINISHED when it resolves, KILLED when it rejects because of `options.signal`, FAILED when it rejects otherwise. The
   * outcome of `work` is passed on.
   */
  async withRun<T>(
    experimentName: string,
    options: StartRunOptions & { signal?: AbortSignal },
    work: (run: ActiveRun) => Promise<T>,
  ): Promise<T> {
    return runInRun(this, experimentName, options, work);
  }
}
