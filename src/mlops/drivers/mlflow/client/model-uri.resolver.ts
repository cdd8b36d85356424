import { HubError } from '../../../../core/errors.js';
import type { LoggedModelsApi } from './logged-models.api.js';
import { parseModelUri, type ModelUri } from './model-uri.parse.js';
import type { ModelVersionsApi } from './model-versions.api.js';
import type { RunsApi } from './runs.api.js';

/** How many model versions may point to each other. */
const MAX_DEPTH = 10;

/** Where the files of a model lie, and what they belong to. */
export interface ResolvedModel {
  /** URI of the file or folder in the artifact store, e.g. `mlflow-artifacts:/1/<run id>/artifacts/model`. */
  artifactUri: string;
  /** The run that made it. */
  runId: string | null;
  /** The logged model (MLflow 3) that it is. */
  modelId: string | null;
  /** The registered model, when the URI names one. */
  name: string | null;
  /** Its version. */
  version: string | null;
}

/** Looks up what URIs of models name. */
export class ModelUriResolver {
  constructor(
    private readonly runs: RunsApi,
    private readonly versions: ModelVersionsApi,
    private readonly loggedModels: LoggedModelsApi,
  ) {}

  /**
   * Resolves `runs:/<run id>/<path>`, `models:/<name>/<version>`, `models:/<name>@<alias>`, `models:/<name>/latest` (or an
   * old stage) and `models:/m-<id>`, each with a path below it; any other URI is a place already. `INVALID_ARGUMENT` for
   * what is no URI of a model, `NOT_FOUND` for what it names.
   */
  async resolve(uri: string): Promise<ResolvedModel> {
    return this.#resolve(parseModelUri(uri), 0);
  }

  async #resolve(uri: ModelUri, depth: number): Promise<ResolvedModel> {
    switch (uri.kind) {
      case 'place':
        return { artifactUri: uri.uri, runId: null, modelId: null, name: null, version: null };
      case 'run':
        return this.#ofRun(uri.runId, uri.path);
      case 'loggedModel': {
        const { artifactUri, sourceRunId, modelId } = await this.loggedModels.get(uri.modelId);
        return { artifactUri: join(artifactUri, uri.path), runId: sourceRunId, modelId, name: null, version: null };
      }
      case 'version':
        return this.#ofVersion(uri.name, uri.version, uri.path, depth);
      case 'latest': {
        const { version } = await this.versions.getLatest(uri.name, uri.stage);
        return this.#ofVersion(uri.name, version, uri.path, depth);
      }
      case 'alias': {
        const found = await this.versions.getByAlias(uri.name, uri.alias);
        if (found !== null) return this.#ofVersion(uri.name, found.version, uri.path, depth);
        const names = [JSON.stringify(uri.name), JSON.stringify(uri.alias)];
        throw new HubError('NOT_FOUND', `the registered model ${names[0]} has no alias ${names[1]}.`);
      }
    }
  }

  async #ofRun(runId: string, path: string): Promise<ResolvedModel> {
    const { info = {}, outputs } = await this.runs.getWire(runId);
    const made = (outputs?.model_outputs ?? []).flatMap(({ model_id: id }) => (id === undefined ? [] : [id]));
    // Since MLflow 3 the model that a run logged as `path` lies beside the run, not among its artifacts.
    const [name = '', ...rest] = path.split('/');
    for (const id of name === '' ? [] : made.toReversed()) {
      const model = await this.loggedModels.find(id);
      if (model?.name !== name) continue;
      const artifactUri = join(model.artifactUri, rest.join('/'));
      return { artifactUri, runId, modelId: model.modelId, name: null, version: null };
    }
    return { artifactUri: join(info.artifact_uri ?? '', path), runId, modelId: null, name: null, version: null };
  }

  async #ofVersion(name: string, version: string, path: string, depth: number): Promise<ResolvedModel> {
    if (depth >= MAX_DEPTH) {
      throw new HubError('CONFLICT', `the versions of ${JSON.stringify(name)} point to each other without an end.`);
    }
    const wire = await this.versions.getWire(name, version);
    const source = wire.source ?? '';
    const own = { runId: wire.run_id || null, modelId: wire.model_id || null };
    if (/^(runs|models):\//i.test(source)) {
      // The server resolves these too, but knows nothing of models that lie beside their run.
      const target = await this.#resolve(parseModelUri(source), depth + 1);
      return {
        artifactUri: join(target.artifactUri, path),
        runId: own.runId ?? target.runId,
        modelId: own.modelId ?? target.modelId,
        name,
        version,
      };
    }
    const place = await this.versions.getDownloadUri(name, version);
    return { artifactUri: join(place === '' ? source : place, path), ...own, name, version };
  }
}

function join(root: string, path: string): string {
  return path === '' ? root : `${root.replace(/\/+$/, '')}/${path}`;
}
