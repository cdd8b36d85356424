import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { joinPath } from '../../mlops.artifacts.js';
import type {
  ArtifactInfo,
  CreateExperimentOptions,
  CreateModelVersionOptions,
  DatasetInput,
  Experiment,
  FinalRunStatus,
  Metric,
  ModelVersion,
  RegisteredModel,
  Run,
  RunBatch,
  ScalarMap,
  SearchOptions,
  SearchRunsOptions,
  StagedSearchOptions,
  StartRunOptions,
} from '../../mlops.types.js';
import { checkBatch, checkDataset, checkFinalStatus, checkText, checkTime, invalid } from '../../mlops.validation.js';
import type { RejectedWrite } from './buffer/index.js';
import type { MLflowClient } from './client/mlflow.client.js';
import { MLflowSessionPlugin } from './mlflow.session-plugin.js';

type Scalar = string | number | boolean;

/** Tracks on an MLflow server; see the README beside this file. */
export class MLflowPlugin extends MLflowSessionPlugin {
  /** The typed client, for what the port has not: logged models, thinned histories, model URIs. `CLOSED` when not open. */
  get client(): MLflowClient {
    return this.open('client').client;
  }

  /**
   * Writes that were acknowledged, spooled, and refused by the server later, because their run was deleted or a param has
   * another value, say; the oldest first. They are kept in the spool until {@link forgetRejectedWrite}; health counts them.
   * Those of another process that shares `spool.dir` are seen once this one has taken them over.
   * @param limit most of them, default 1000; `INVALID_ARGUMENT` unless it is a whole number above 0
   */
  rejectedWrites(limit = 1_000): Promise<RejectedWrite[]> {
    return this.call('rejectedWrites', async ({ writes }) => writes.rejected(checkCount(limit, 'limit')));
  }
  /**
   * Forgets a refused write that somebody has dealt with, for good; resolves to `false` when there is none of that id.
   * @param id of {@link rejectedWrites}; `INVALID_ARGUMENT` unless it is a whole number above 0
   */
  forgetRejectedWrite(id: number): Promise<boolean> {
    return this.call('forgetRejectedWrite', async ({ writes }) => writes.forget(checkCount(id, 'id')));
  }

  override createExperiment(name: string, options?: CreateExperimentOptions): Promise<string> {
    return this.call('createExperiment', ({ client }) => client.experiments.create(name, options));
  }
  override getExperiment(experimentId: string): Promise<Experiment> {
    return this.call('getExperiment', ({ client }) => client.experiments.get(experimentId));
  }
  override getExperimentByName(name: string): Promise<Experiment | null> {
    return this.call('getExperimentByName', ({ client }) => client.experiments.getByName(name));
  }
  override searchExperiments(options?: StagedSearchOptions): AsyncIterable<Experiment> {
    return this.iterate('searchExperiments', ({ client }) => client.experiments.search(options));
  }
  override renameExperiment(experimentId: string, newName: string): Promise<void> {
    return this.call('renameExperiment', ({ client }) => client.experiments.rename(experimentId, newName));
  }
  override deleteExperiment(experimentId: string): Promise<void> {
    return this.call('deleteExperiment', ({ client }) => client.experiments.delete(experimentId));
  }
  override restoreExperiment(experimentId: string): Promise<void> {
    return this.call('restoreExperiment', ({ client }) => client.experiments.restore(experimentId));
  }
  override setExperimentTag(experimentId: string, key: string, value: Scalar): Promise<void> {
    return this.call('setExperimentTag', ({ client }) => client.experiments.setTag(experimentId, key, value));
  }
  override deleteExperimentTag(experimentId: string, key: string): Promise<void> {
    return this.call('deleteExperimentTag', ({ client }) => client.experiments.deleteTag(experimentId, key));
  }

  override startRun(experimentId: string, options?: StartRunOptions): Promise<Run> {
    return this.call('startRun', ({ client }) => client.runs.create(experimentId, options));
  }
  override endRun(runId: string, status: FinalRunStatus = 'FINISHED', endTime = Date.now()): Promise<void> {
    return this.call('endRun', async ({ writes, inFlight }) => {
      checkFinalStatus(status);
      const time = checkTime(endTime, 'endTime');
      const uploads = inFlight.before(runId, '');
      if (uploads !== undefined) await uploads;
      await writes.end(runId, status, time);
    });
  }
  override getRun(runId: string): Promise<Run> {
    return this.settled('getRun', runId, ({ runs }) => runs.get(runId));
  }
  override searchRuns(options: SearchRunsOptions): AsyncIterable<Run> {
    return this.iterate('searchRuns', ({ client }) => client.runs.search(options), true);
  }
  override renameRun(runId: string, runName: string): Promise<void> {
    return this.settled('renameRun', runId, ({ runs }) => runs.rename(runId, runName));
  }
  override deleteRun(runId: string): Promise<void> {
    return this.settled('deleteRun', runId, ({ runs }) => runs.delete(runId));
  }
  override restoreRun(runId: string): Promise<void> {
    return this.settled('restoreRun', runId, ({ runs }) => runs.restore(runId));
  }

  override logBatch(runId: string, batch: RunBatch): Promise<void> {
    return this.call('logBatch', async ({ writes }) => writes.write(runId, checkBatch(batch)));
  }
  override deleteTag(runId: string, key: string): Promise<void> {
    return this.settled('deleteTag', runId, ({ runs }) => runs.deleteTag(runId, key));
  }
  override logInputs(runId: string, datasets: readonly DatasetInput[]): Promise<void> {
    return this.call('logInputs', async ({ writes }) => writes.logInputs(runId, datasets.map(checkDataset)));
  }
  override getMetricHistory(runId: string, key: string, options: { signal?: AbortSignal } = {}): AsyncIterable<Metric> {
    return this.iterate(
      'getMetricHistory',
      ({ client }) => client.metrics.history(runId, checkText(key, 'the key of a metric', Infinity), options),
      runId,
    );
  }
  override flush(): Promise<void> {
    return this.call('flush', async ({ writes, inFlight }) => {
      await inFlight.settled();
      await writes.flush();
    });
  }

  override logArtifact(runId: string, localPath: string, artifactPath = ''): Promise<void> {
    const path = joinPath(artifactPath, basename(localPath));
    return this.tracked('logArtifact', runId, path, ({ artifacts }) =>
      artifacts.uploadFile({ runId }, localPath, path),
    );
  }
  override logArtifacts(runId: string, localFolder: string, artifactPath = ''): Promise<void> {
    return this.tracked('logArtifacts', runId, artifactPath, ({ artifacts }) =>
      artifacts.uploadFolder({ runId }, localFolder, artifactPath),
    );
  }
  override async logStream(runId: string, content: Readable, path: string): Promise<void> {
    // Heard from the start: it may fail while earlier uploads go on, and an error that nobody hears ends the process.
    if (content instanceof Readable) content.on('error', ignore);
    try {
      await this.tracked('logStream', runId, path, ({ artifacts }) => artifacts.upload({ runId }, path, content));
    } finally {
      if (content instanceof Readable) content.destroy();
      setImmediate(() => content instanceof Readable && content.off('error', ignore));
    }
  }
  override listArtifacts(runId: string, path = ''): Promise<ArtifactInfo[]> {
    return this.after('listArtifacts', runId, path, ({ artifacts }) => artifacts.list({ runId }, path));
  }
  override readArtifact(runId: string, path: string): Promise<Readable> {
    return this.after('readArtifact', runId, path, ({ artifacts }) => artifacts.read({ runId }, path));
  }
  override downloadArtifacts(runId: string, path: string, destination: string): Promise<string> {
    return this.after('downloadArtifacts', runId, path, async ({ artifacts }) => {
      const { localPath } = await artifacts.download({ runId }, path, destination);
      return localPath;
    });
  }
  override deleteArtifacts(runId: string, path: string): Promise<void> {
    return this.tracked('deleteArtifacts', runId, path, ({ artifacts }) => artifacts.delete({ runId }, path));
  }

  override createRegisteredModel(
    name: string,
    options?: { description?: string; tags?: ScalarMap },
  ): Promise<RegisteredModel> {
    return this.call('createRegisteredModel', ({ client }) => client.models.create(name, options));
  }
  override getRegisteredModel(name: string): Promise<RegisteredModel> {
    return this.call('getRegisteredModel', ({ client }) => client.models.get(name));
  }
  override updateRegisteredModel(name: string, changes: { description: string }): Promise<RegisteredModel> {
    return this.call('updateRegisteredModel', ({ client }) => client.models.update(name, changes));
  }
  override renameRegisteredModel(name: string, newName: string): Promise<RegisteredModel> {
    return this.call('renameRegisteredModel', ({ client }) => client.models.rename(name, newName));
  }
  override deleteRegisteredModel(name: string): Promise<void> {
    return this.call('deleteRegisteredModel', ({ client }) => client.models.delete(name));
  }
  override searchRegisteredModels(options?: SearchOptions): AsyncIterable<RegisteredModel> {
    return this.iterate('searchRegisteredModels', ({ client }) => client.models.search(options));
  }
  override setRegisteredModelTag(name: string, key: string, value: Scalar): Promise<void> {
    return this.call('setRegisteredModelTag', ({ client }) => client.models.setTag(name, key, value));
  }
  override deleteRegisteredModelTag(name: string, key: string): Promise<void> {
    return this.call('deleteRegisteredModelTag', ({ client }) => client.models.deleteTag(name, key));
  }
  override setRegisteredModelAlias(name: string, alias: string, version: string): Promise<void> {
    return this.call('setRegisteredModelAlias', ({ client }) => client.models.setAlias(name, alias, version));
  }
  override deleteRegisteredModelAlias(name: string, alias: string): Promise<void> {
    return this.call('deleteRegisteredModelAlias', ({ client }) => client.models.deleteAlias(name, alias));
  }

  override createModelVersion(name: string, options: CreateModelVersionOptions): Promise<ModelVersion> {
    return this.call('createModelVersion', ({ client }) => client.versions.create(name, options));
  }
  override getModelVersion(name: string, version: string): Promise<ModelVersion> {
    return this.call('getModelVersion', ({ client }) => client.versions.get(name, version));
  }
  override getModelVersionByAlias(name: string, alias: string): Promise<ModelVersion | null> {
    return this.call('getModelVersionByAlias', ({ client }) => client.versions.getByAlias(name, alias));
  }
  override updateModelVersion(name: string, version: string, changes: { description: string }): Promise<ModelVersion> {
    return this.call('updateModelVersion', ({ client }) => client.versions.update(name, version, changes));
  }
  override deleteModelVersion(name: string, version: string): Promise<void> {
    return this.call('deleteModelVersion', ({ client }) => client.versions.delete(name, version));
  }
  override searchModelVersions(options?: SearchOptions): AsyncIterable<ModelVersion> {
    return this.iterate('searchModelVersions', ({ client }) => client.versions.search(options));
  }
  override setModelVersionTag(name: string, version: string, key: string, value: Scalar): Promise<void> {
    return this.call('setModelVersionTag', ({ client }) => client.versions.setTag(name, version, key, value));
  }
  override deleteModelVersionTag(name: string, version: string, key: string): Promise<void> {
    return this.call('deleteModelVersionTag', ({ client }) => client.versions.deleteTag(name, version, key));
  }
}

function checkCount(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  throw invalid(`${what} has to be a whole number above 0.`);
}

function ignore(): void {}
