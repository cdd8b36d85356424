import { HubError } from '../../../../core/errors.js';
import type { ArtifactInfo } from '../../../mlops.types.js';
import type { MLflowTransport } from '../client/mlflow.transport.types.js';
import { checkServerPath } from './artifact-names.js';
import type { ArtifactOwner } from './artifact-owner.js';
import type { ArtifactCallOptions, ArtifactStore, OpenArtifact } from './artifact-store.js';
import { RemoteReader, type RemotePlaces } from './remote-reader.js';

/** Artifacts in a store that only the server goes to: it lists and reads them for us; it stores and removes none. */
export class ServerReadStore implements ArtifactStore {
  readonly #reader: RemoteReader | undefined;

  /**
   * @param owner whose artifacts; the server reads those of runs and logged models only
   * @param reason why this process does not go to the store, for errors
   */
  constructor(
    transport: MLflowTransport,
    owner: ArtifactOwner,
    serverReads: boolean,
    private readonly reason: string,
  ) {
    const places = serverReads ? placesOf(owner) : undefined;
    this.#reader = places === undefined ? undefined : new RemoteReader(transport, places);
  }

  check(path: unknown, root = false): string[] {
    return checkServerPath([], path, root);
  }

  async list(segments: readonly string[], options: ArtifactCallOptions): Promise<ArtifactInfo[]> {
    return this.#reading().list(segments, options);
  }

  async open(segments: readonly string[], options: ArtifactCallOptions): Promise<OpenArtifact> {
    return this.#reading().open(segments, options);
  }

  async upload(): Promise<void> {
    throw new HubError('UNSUPPORTED', this.reason);
  }

  async delete(): Promise<void> {
    throw new HubError('UNSUPPORTED', this.reason);
  }

  #reading(): RemoteReader {
    if (this.#reader !== undefined) return this.#reader;
    throw new HubError('UNSUPPORTED', this.reason);
  }
}

function placesOf(owner: ArtifactOwner): RemotePlaces | undefined {
  const pathOf = (segments: readonly string[]): string | undefined => segments.join('/') || undefined;
  if ('runId' in owner) {
    const { runId } = owner;
    return {
      list: (segments) => ({
        method: 'GET',
        path: '/api/2.0/mlflow/artifacts/list',
        query: { run_id: runId, path: pathOf(segments) },
      }),
      listsWholePaths: true,
      read: (segments) => ({
        method: 'GET',
        path: '/get-artifact',
        query: { run_id: runId, path: segments.join('/') },
      }),
    };
  }
  if (!('modelId' in owner)) return undefined;
  const model = encodeURIComponent(owner.modelId);
  return {
    list: (segments) => ({
      method: 'GET',
      path: `/api/2.0/mlflow/logged-models/${model}/artifacts/directories`,
      query: { artifact_directory_path: pathOf(segments) },
    }),
    listsWholePaths: true,
    read: (segments) => ({
      method: 'GET',
      path: `/ajax-api/2.0/mlflow/logged-models/${model}/artifacts/files`,
      query: { artifact_file_path: segments.join('/') },
    }),
  };
}
