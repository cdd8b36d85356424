/**
 * A typed client of MLflow servers, usable without the hub: experiments, runs, metrics, the model registry, logged models
 * and artifacts.
 */
export type { DownloadedArtifacts, DownloadedFile } from '../artifacts/artifact-download.js';
export type { ArtifactOwner } from '../artifacts/artifact-owner.js';
export type { ArtifactCallOptions } from '../artifacts/artifact-store.js';
export type { ArtifactRoot, ArtifactUriRules } from '../artifacts/artifact-uri.js';
export { ArtifactsApi, type ArtifactsOptions, type UploadOptions } from '../artifacts/artifacts.api.js';
export type { ArtifactContent, UploadSource } from '../artifacts/upload-source.js';
export type { MLflowErrorDetails } from '../mlflow.answer.js';
export { CLIENT_TOKEN_TAG, type ApiOptions } from './client-token.js';
export { ExperimentsApi } from './experiments.api.js';
export { LoggedModelsApi } from './logged-models.api.js';
export type { LoggedModel, NewLoggedModel, SearchLoggedModels } from './logged-models.types.js';
export { MetricsApi, type RunMetric } from './metrics.api.js';
export type {
  MLflowAuth,
  MLflowAuthContext,
  MLflowAuthProvider,
  MLflowHeadersProvider,
  MLflowToken,
  MLflowTokenFunction,
  MLflowTokenProvider,
} from './mlflow.auth.types.js';
export { MLflowClient, type MLflowClientParts } from './mlflow.client.js';
export type {
  MLflowArtifactOptions,
  MLflowAuthOptions,
  MLflowClientOptions,
  MLflowRetryOptions,
  TransportOptions,
} from './mlflow.client.options.js';
export type { MLflowTls } from './mlflow.tls.js';
export { HttpTransport } from './mlflow.transport.js';
export type {
  Download,
  HttpMethod,
  JsonRequest,
  MLflowRequest,
  MLflowTransport,
  QueryValue,
  UploadRequest,
} from './mlflow.transport.types.js';
export { parseModelUri, type ModelUri } from './model-uri.parse.js';
export type { ResolvedModel } from './model-uri.resolver.js';
export { ModelVersionsApi, type NewModelVersion } from './model-versions.api.js';
export { RegisteredModelsApi } from './registered-models.api.js';
export { RunsApi, type RequestLimits } from './runs.api.js';
