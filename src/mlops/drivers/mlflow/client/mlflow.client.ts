import { ArtifactsApi, type ArtifactsOptions } from '../artifacts/artifacts.api.js';
import type { ApiOptions } from './client-token.js';
import { ExperimentsApi } from './experiments.api.js';
import { LoggedModelsApi } from './logged-models.api.js';
import { MetricsApi } from './metrics.api.js';
import type { MLflowClientOptions } from './mlflow.client.options.js';
import { resolveClientOptions } from './mlflow.resolve-options.js';
import { isSameServer } from './mlflow.server-uri.js';
import { HttpTransport } from './mlflow.transport.js';
import type { MLflowTransport } from './mlflow.transport.types.js';
import { ModelUriResolver, type ResolvedModel } from './model-uri.resolver.js';
import { ModelVersionsApi } from './model-versions.api.js';
import { RegisteredModelsApi } from './registered-models.api.js';
import { RunsApi } from './runs.api.js';

/** What an {@link MLflowClient} is made of beside the connection to the tracking server. */
export interface MLflowClientParts extends ApiOptions {
  /** The connection to the registry, when that is another server. */
  registry?: MLflowTransport;
  artifacts?: ArtifactsOptions;
}

/**
 * A typed client of an MLflow server, usable without the hub: `MLflowClient.connect({ mlflowUri: 'http://127.0.0.1:5000' })`.
 * Each method is a request (or a few) of its own: nothing is buffered, and only what is safe to repeat is repeated. Values
 * are checked before they are sent, since the server stores bad ones silently. All errors are HubErrors; `details.errorCode`
 * keeps MLflow's own code.
 */
export class MLflowClient {
  readonly experiments: ExperimentsApi;
  readonly runs: RunsApi;
  readonly metrics: MetricsApi;
  /** Registered models. */
  readonly models: RegisteredModelsApi;
  /** Versions of registered models. */
  readonly versions: ModelVersionsApi;
  /** Logged models of MLflow 3. */
  readonly loggedModels: LoggedModelsApi;
  readonly artifacts: ArtifactsApi;
  /** The connection to the registry; the tracking server's when it has none of its own. */
  readonly registry: MLflowTransport;
  readonly #uris: ModelUriResolver;

  /** @param transport the connection to the tracking server; {@link close} closes it */
  constructor(
    readonly transport: MLflowTransport,
    parts: MLflowClientParts = {},
  ) {
    this.registry = parts.registry ?? transport;
    this.experiments = new ExperimentsApi(transport, parts);
    this.runs = new RunsApi(transport, parts);
    this.metrics = new MetricsApi(transport);
    this.models = new RegisteredModelsApi(this.registry, parts);
    this.versions = new ModelVersionsApi(this.registry, this.models, this.runs, parts);
    this.loggedModels = new LoggedModelsApi(transport, this.versions, parts);
    this.artifacts = new ArtifactsApi(transport, parts.artifacts);
    this.#uris = new ModelUriResolver(this.runs, this.versions, this.loggedModels);
  }

  /**
   * A client by options, completed from the environment variables of MLflow's Python client. Opens no connection yet.
   * Throws `CONFIG_INVALID` naming all faults.
   * @param where the block that the options come from, e.g. `plugins.mlops.config`: it starts the paths of faults
   */
  static connect(options: MLflowClientOptions = {}, where = ''): MLflowClient {
    const resolved = resolveClientOptions(options, process.env, where);
    const { mlflowUri, registryUri, deadline, requestTimeout, allowFileUris, artifacts } = resolved;
    const transport = new HttpTransport({ ...resolved, uri: mlflowUri });
    const registry = isSameServer(mlflowUri, registryUri)
      ? transport
      : new HttpTransport({ ...resolved, uri: registryUri });
    return new MLflowClient(transport, {
      createDeadline: deadline,
      artifacts: { ...artifacts, origin: transport.server, allowFileUris, requestTimeout },
      registry,
    });
  }

  /**
   * Where the files of a model lie: `runs:/<run id>/<path>`, `models:/<name>/<version>`, `models:/<name>@<alias>`,
   * `models:/<name>/latest` and `models:/m-<id>`. `INVALID_ARGUMENT` for what is none of them, `NOT_FOUND`.
   */
  resolveModelUri(uri: string): Promise<ResolvedModel> {
    return this.#uris.resolve(uri);
  }

  /** Closes the connections; requests under way are given up. */
  async close(): Promise<void> {
    await this.transport.close();
    if (this.registry !== this.transport) await this.registry.close();
  }
}
