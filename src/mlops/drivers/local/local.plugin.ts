import type { Readable } from 'node:stream';
import { HubError } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import { validateOptions } from '../../../core/validate.js';
import { IN_MEMORY } from '../../../embedded/store.options.js';
import { MLOpsPlugin } from '../../mlops.plugin.js';
import type {
  ArtifactInfo,
  CreateExperimentOptions,
  CreateModelVersionOptions,
  DatasetInput,
  Experiment,
  FinalRunStatus,
  Metric,
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
} from '../../mlops.types.js';
import { checkText } from '../../mlops.validation.js';
import { LocalEngine } from './local.engine.js';
import { localMLOpsSchema, type LocalMLOpsOptions } from './local.options.js';

type Scalar = string | number | boolean;

/** The embedded MLOps driver: writes an MLflow database, `<dataDir>/mlflow.db`, and artifact files beside it. */
export class LocalMLOpsPlugin extends MLOpsPlugin {
  override readonly driver = 'local';
  override readonly supports: MLOpsSupports;
  readonly #options: LocalMLOpsOptions;
  #engine: LocalEngine | undefined;

  /** @param options what is left out gets its default; `CONFIG_INVALID` for a wrong value */
  constructor(options: Partial<LocalMLOpsOptions> = {}) {
    super();
    this.#options = validateOptions(localMLOpsSchema, options, { what: 'config', plugin: 'mlops', driver: 'local' });
    this.supports = { trackingUri: false, experimentTagDeletion: true, durable: this.#options.dataDir !== IN_MEMORY };
  }

  override setTrackingUri(_uri: string): void {
    throw this.unsupported(
      'setTrackingUri',
      'the store lies where the option dataDir says. Use the mlflow driver for a server.',
    );
  }

  override createExperiment(name: string, options?: CreateExperimentOptions): Promise<string> {
    return this.#call('createExperiment', (engine) => engine.experiments.create(name, options));
  }
  override getExperiment(experimentId: string): Promise<Experiment> {
    return this.#call('getExperiment', (engine) => engine.experiments.get(experimentId));
  }
  override getExperimentByName(name: string): Promise<Experiment | null> {
    return this.#call('getExperimentByName', async (engine) =>
      engine.experiments.getByName(checkText(name, "an experiment's name", Infinity)),
    );
  }
  override searchExperiments(options?: StagedSearchOptions): AsyncIterable<Experiment> {
    return this.#iterate('searchExperiments', (engine) => engine.searches.experiments(options));
  }
  override renameExperiment(experimentId: string, newName: string): Promise<void> {
    return this.#call('renameExperiment', (engine) => engine.experiments.rename(experimentId, newName));
  }
  override deleteExperiment(experimentId: string): Promise<void> {
    return this.#call('deleteExperiment', (engine) => engine.experiments.delete(experimentId));
  }
  override restoreExperiment(experimentId: string): Promise<void> {
    return this.#call('restoreExperiment', (engine) => engine.experiments.restore(experimentId));
  }
  override setExperimentTag(experimentId: string, key: string, value: Scalar): Promise<void> {
    return this.#call('setExperimentTag', (engine) => engine.experiments.setTag(experimentId, key, value));
  }
  override deleteExperimentTag(experimentId: string, key: string): Promise<void> {
    return this.#call('deleteExperimentTag', (engine) => engine.experiments.deleteTag(experimentId, key));
  }

  override startRun(experimentId: string, options?: StartRunOptions): Promise<Run> {
    return this.#call('startRun', (engine) => engine.runs.start(experimentId, options));
  }
  override endRun(runId: string, status?: FinalRunStatus, endTime?: number): Promise<void> {
    return this.#call('endRun', async (engine) => {
      const uploads = engine.artifacts.inFlight.before(runId, '');
      if (uploads !== undefined) await uploads;
      await engine.runs.end(runId, status, endTime);
    });
  }
  override getRun(runId: string): Promise<Run> {
    return this.#call('getRun', (engine) => engine.runs.get(runId));
  }
  override searchRuns(options: SearchRunsOptions): AsyncIterable<Run> {
    return this.#iterate('searchRuns', (engine) => engine.searches.runs(options));
  }
  override renameRun(runId: string, runName: string): Promise<void> {
    return this.#call('renameRun', (engine) => engine.runs.rename(runId, runName));
  }
  override deleteRun(runId: string): Promise<void> {
    return this.#call('deleteRun', (engine) => engine.runs.delete(runId));
  }
  override restoreRun(runId: string): Promise<void> {
    return this.#call('restoreRun', (engine) => engine.runs.restore(runId));
  }

  override logBatch(runId: string, batch: RunBatch): Promise<void> {
    return this.#call('logBatch', (engine) => engine.runs.log.batch(runId, batch));
  }
  override deleteTag(runId: string, key: string): Promise<void> {
    return this.#call('deleteTag', (engine) => engine.runs.deleteTag(runId, key));
  }
  override logInputs(runId: string, datasets: readonly DatasetInput[]): Promise<void> {
    return this.#call('logInputs', (engine) => engine.runs.log.inputs(runId, datasets));
  }
  override getMetricHistory(runId: string, key: string, options: { signal?: AbortSignal } = {}): AsyncIterable<Metric> {
    return this.#iterate('getMetricHistory', (engine) =>
      engine.runs.log.history(runId, checkText(key, 'the key of a metric', Infinity), options.signal),
    );
  }
  override flush(): Promise<void> {
    return this.#call('flush', (engine) => engine.settled());
  }

  override logStream(runId: string, content: Readable, path: string): Promise<void> {
    return this.#call('logStream', (engine) => engine.artifacts.write(runId, content, path));
  }
  override listArtifacts(runId: string, path?: string): Promise<ArtifactInfo[]> {
    return this.#call('listArtifacts', (engine) => engine.artifacts.list(runId, path));
  }
  override readArtifact(runId: string, path: string): Promise<Readable> {
    return this.#call('readArtifact', (engine) => engine.artifacts.read(runId, path));
  }
  override downloadArtifacts(runId: string, path: string, destination: string): Promise<string> {
    return this.#call('downloadArtifacts', (engine) => engine.artifacts.download(runId, path, destination));
  }
  override deleteArtifacts(runId: string, path: string): Promise<void> {
    return this.#call('deleteArtifacts', (engine) => engine.artifacts.delete(runId, path));
  }

  override createRegisteredModel(
    name: string,
    options?: { description?: string; tags?: ScalarMap },
  ): Promise<RegisteredModel> {
    return this.#call('createRegisteredModel', (engine) => engine.models.create(name, options));
  }
  override getRegisteredModel(name: string): Promise<RegisteredModel> {
    return this.#call('getRegisteredModel', (engine) => engine.models.get(name));
  }
  override updateRegisteredModel(name: string, changes: { description: string }): Promise<RegisteredModel> {
    return this.#call('updateRegisteredModel', (engine) => engine.models.update(name, changes));
  }
  override renameRegisteredModel(name: string, newName: string): Promise<RegisteredModel> {
    return this.#call('renameRegisteredModel', (engine) => engine.models.rename(name, newName));
  }
  override deleteRegisteredModel(name: string): Promise<void> {
    return this.#call('deleteRegisteredModel', (engine) => engine.models.delete(name));
  }
  override searchRegisteredModels(options?: SearchOptions): AsyncIterable<RegisteredModel> {
    return this.#iterate('searchRegisteredModels', (engine) => engine.searches.models(options));
  }
  override setRegisteredModelTag(name: string, key: string, value: Scalar): Promise<void> {
    return this.#call('setRegisteredModelTag', (engine) => engine.models.setTag(name, key, value));
  }
  override deleteRegisteredModelTag(name: string, key: string): Promise<void> {
    return this.#call('deleteRegisteredModelTag', (engine) => engine.models.deleteTag(name, key));
  }
  override setRegisteredModelAlias(name: string, alias: string, version: string): Promise<void> {
    return this.#call('setRegisteredModelAlias', ({ models, versions }) =>
      models.setAlias(name, alias, version, () => versions.ensure(name, version)),
    );
  }
  override deleteRegisteredModelAlias(name: string, alias: string): Promise<void> {
    return this.#call('deleteRegisteredModelAlias', (engine) => engine.models.deleteAlias(name, alias));
  }

  override createModelVersion(name: string, options: CreateModelVersionOptions): Promise<ModelVersion> {
    return this.#call('createModelVersion', (engine) => engine.versions.create(name, options));
  }
  override getModelVersion(name: string, version: string): Promise<ModelVersion> {
    return this.#call('getModelVersion', (engine) => engine.versions.get(name, version));
  }
  override getModelVersionByAlias(name: string, alias: string): Promise<ModelVersion | null> {
    return this.#call('getModelVersionByAlias', (engine) => engine.versions.getByAlias(name, alias));
  }
  override updateModelVersion(name: string, version: string, changes: { description: string }): Promise<ModelVersion> {
    return this.#call('updateModelVersion', (engine) => engine.versions.update(name, version, changes));
  }
  override deleteModelVersion(name: string, version: string): Promise<void> {
    return this.#call('deleteModelVersion', (engine) => engine.versions.delete(name, version));
  }
  override searchModelVersions(options?: SearchOptions): AsyncIterable<ModelVersion> {
    return this.#iterate('searchModelVersions', (engine) => engine.searches.versions(options));
  }
  override setModelVersionTag(name: string, version: string, key: string, value: Scalar): Promise<void> {
    return this.#call('setModelVersionTag', (engine) => engine.versions.setTag(name, version, key, value));
  }
  override deleteModelVersionTag(name: string, version: string, key: string): Promise<void> {
    return this.#call('deleteModelVersionTag', (engine) => engine.versions.deleteTag(name, version, key));
  }

  protected override async onInitialize(): Promise<void> {
    try {
      this.#engine = await LocalEngine.open(this.#options);
    } catch (error) {
      throw this.#named('initialize', error);
    }
  }

  protected override async onDrain(): Promise<void> {
    await this.#engine?.settled();
  }

  protected override async onShutdown(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.close();
  }

  protected override async onHealthCheck(): Promise<JsonObject> {
    const engine = this.#open('healthCheck');
    const revision = await engine.db.retry(() =>
      engine.db.get<{ version_num: string }>('SELECT version_num FROM alembic_version'),
    );
    return { store: engine.db.path, schema: revision?.version_num ?? null };
  }

  #open(operation: string): LocalEngine {
    this.ensureOpen(operation);
    if (this.#engine === undefined) throw this.error('CLOSED', operation, 'the plugin has been shut down.');
    return this.#engine;
  }

  /** Runs a method's body at once, so that writes keep the order of their calls, and names the method in its errors. */
  async #call<T>(operation: string, work: (engine: LocalEngine) => Promise<T>): Promise<T> {
    const engine = this.#open(operation);
    try {
      return await work(engine);
    } catch (error) {
      throw this.#named(operation, error);
    }
  }

  async *#iterate<T>(operation: string, start: (engine: LocalEngine) => AsyncIterable<T>): AsyncGenerator<T> {
    const engine = this.#open(operation);
    try {
      for await (const item of start(engine)) {
        yield item;
        this.#open(operation);
      }
    } catch (error) {
      throw this.#named(operation, error);
    }
  }

  #named(operation: string, error: unknown): HubError {
    if (!HubError.is(error)) {
      if (this.phase === 'closed')
        return this.error('CLOSED', operation, 'the plugin has been shut down.', { cause: error });
      const reason = error instanceof Error ? error.message : String(error);
      return this.error('UNAVAILABLE', operation, `the store failed: ${reason}`, { cause: error });
    }
    if (error.operation !== undefined) return error;
    return this.error(error.code, operation, error.message, { cause: error.cause, details: error.details });
  }
}
