import { throwIfAborted } from '../../../../core/deadline.js';
import { HubError } from '../../../../core/errors.js';
import type { ArtifactInfo } from '../../../mlops.types.js';
import type { MLflowTransport } from '../client/mlflow.transport.types.js';
import { checkServerPath, encodeSegments } from './artifact-names.js';
import { PROXY } from './artifact-uri.js';
import type { ArtifactCallOptions, ArtifactStore, OpenArtifact } from './artifact-store.js';
import type { MultipartUploads } from './multipart-upload.js';
import { RemoteReader } from './remote-reader.js';
import type { UploadSource } from './upload-source.js';
import { sendUpload } from './send-upload.js';

/** How files are sent. */
export interface SendingRules {
  multipart: MultipartUploads;
  /** Bytes from which on files of known length are sent in parts. */
  multipartThreshold: number;
  /** Bytes of a part. */
  partSize: number;
  /** Longest time that a content may give no bytes, in ms. */
  idleTimeout: number;
}

/** Artifacts behind the server's own proxy. */
export class ProxyStore implements ArtifactStore {
  readonly #reader: RemoteReader;

  /** @param base where the root lies below the proxy */
  constructor(
    private readonly transport: MLflowTransport,
    private readonly base: readonly string[],
    private readonly rules: SendingRules,
  ) {
    this.#reader = new RemoteReader(transport, {
      // The proxy's own listing, not artifacts/list: that one would take "a:b" for a URI and change it.
      list: (segments) => ({ method: 'GET', path: PROXY, query: { path: [...base, ...segments].join('/') } }),
      listsWholePaths: false,
      read: (segments) => ({ method: 'GET', path: this.#address(segments) }),
    });
  }

  check(path: unknown, root = false): string[] {
    return checkServerPath(this.base, path, root);
  }

  async list(segments: readonly string[], options: ArtifactCallOptions): Promise<ArtifactInfo[]> {
    return this.#reader.list(segments, options);
  }

  async open(segments: readonly string[], options: ArtifactCallOptions): Promise<OpenArtifact> {
    return this.#reader.open(segments, options);
  }

  async upload(segments: readonly string[], source: UploadSource, options: ArtifactCallOptions): Promise<void> {
    throwIfAborted(options.signal);
    await sendUpload(this.transport, this.rules, {
      source,
      path: this.#address(segments),
      segments: [...this.base, ...segments],
      inTheWay: () => this.#inTheWay(segments, options),
      signal: options.signal,
    });
  }

  async delete(segments: readonly string[], { signal }: ArtifactCallOptions): Promise<void> {
    try {
      await this.transport.json({
        method: 'DELETE',
        path: this.#address(segments),
        repeatable: true,
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (!HubError.is(error, 'NOT_FOUND')) throw error;
    }
  }

  #address(segments: readonly string[]): string {
    return `${PROXY}/${encodeSegments([...this.base, ...segments])}`;
  }

  /** What keeps a file from being stored at `segments`. Servers on a disk answer 500 then. */
  async #inTheWay(segments: readonly string[], options: ArtifactCallOptions): Promise<HubError | undefined> {
    for (let depth = 1; depth <= segments.length; depth += 1) {
      const entry = await this.#reader.entry(segments.slice(0, depth), options);
      if (entry === undefined) return undefined;
      const path = JSON.stringify(entry.path);
      if (depth === segments.length && entry.isDirectory) {
        return new HubError('CONFLICT', `${path} is a folder: a file cannot take its place.`);
      }
      if (depth < segments.length && !entry.isDirectory) {
        return new HubError('CONFLICT', `${path} is a file: nothing can be stored below it.`);
      }
    }
    return undefined;
  }
}
