import { throwIfAborted } from '../../../../core/deadline.js';
import type { Readable } from 'node:stream';
import { filesBelow } from '../../../mlops.artifacts.js';
import type { ArtifactInfo } from '../../../mlops.types.js';
import { checkArtifactPath, invalid } from '../../../mlops.validation.js';
import { ARTIFACT_DEFAULTS, TRANSPORT_DEFAULTS, type MLflowArtifactOptions } from '../client/mlflow.client.options.js';
import type { MLflowTransport } from '../client/mlflow.transport.types.js';
import { downloadTo, type DownloadedArtifacts } from './artifact-download.js';
import { ArtifactOwners, type ArtifactOwner } from './artifact-owner.js';
import type { ArtifactCallOptions, ArtifactStore } from './artifact-store.js';
import { parseArtifactUri, type ArtifactRoot, type ArtifactUriRules } from './artifact-uri.js';
import { foldersFirst, walk } from './artifact-walk.js';
import { boundedWork } from './bounded-work.js';
import { FolderStore } from './folder-store.js';
import { MultipartUploads } from './multipart-upload.js';
import { ProxyStore, type SendingRules } from './proxy-store.js';
import { ServerReadStore } from './server-read-store.js';
import { fileSource, sourceOf, type ArtifactContent } from './upload-source.js';

/** Options of {@link ArtifactsApi}. */
export interface ArtifactsOptions extends ArtifactUriRules, Partial<MLflowArtifactOptions> {
  /** Longest time that a content to upload may give no bytes, in ms. Default 60 000. */
  requestTimeout?: number;
}

/** Options of uploads. */
export interface UploadOptions extends ArtifactCallOptions {
  /** Bytes of a stream, when known: a stream of another length is `PAYLOAD_INVALID`. */
  contentLength?: number;
}

/** Files of a folder that are uploaded at the same time. */
const CONCURRENCY = 4;

/**
 * The artifacts of runs and logged models. Paths are relative with `/`; `INVALID_ARGUMENT` for those that leave the root
 * or that the server would keep under another name. Unknown runs and models are `NOT_FOUND`.
 */
export class ArtifactsApi {
  readonly #owners: ArtifactOwners;
  readonly #sending: SendingRules;

  constructor(
    private readonly transport: MLflowTransport,
    private readonly options: ArtifactsOptions = {},
  ) {
    this.#owners = new ArtifactOwners(transport);
    this.#sending = {
      multipart: new MultipartUploads(transport, options.multipart !== 'off'),
      multipartThreshold: options.multipartThreshold ?? ARTIFACT_DEFAULTS.multipartThreshold,
      partSize: options.partSize ?? ARTIFACT_DEFAULTS.partSize,
      idleTimeout: options.requestTimeout ?? TRANSPORT_DEFAULTS.requestTimeout,
    };
  }

  /** Where the artifacts lie, and whether this process goes there. */
  async root(owner: ArtifactOwner, options: ArtifactCallOptions = {}): Promise<ArtifactRoot> {
    return parseArtifactUri(await this.#owners.uriOf(owner, false, options), this.options);
  }

  /**
   * Stores content under `path`, all or nothing, in constant memory; an existing file is replaced. Sent again after a
   * failure where the content can be had again (bytes, text, files, and streams of up to 1 MiB). `PAYLOAD_INVALID` when
   * the content fails, `TIMEOUT` when it gives no bytes for as long as `requestTimeout`, `CONFLICT` for a deleted run and
   * where a folder is or a file is in the way, `UNSUPPORTED` for stores that this process does not go to.
   */
  async upload(
    owner: ArtifactOwner,
    path: string,
    content: ArtifactContent,
    options: UploadOptions = {},
  ): Promise<void> {
    const source = sourceOf(content, options.contentLength);
    const opened = source.repeatable ? undefined : source.open();
    // Heard from the start and for ever: an error event without a listener ends the process, and a stream that hangs
    // tells its error long after it was destroyed.
    opened?.on('error', ignore);
    try {
      checkArtifactPath(path);
      const store = await this.#store(owner, true, options);
      await store.upload(store.check(path), source, options);
    } finally {
      opened?.destroy();
    }
  }

  /**
   * Stores a local file under `path`, or, without one, its own name at the root. Symbolic links and folders are
   * `INVALID_ARGUMENT`, a missing one is `NOT_FOUND`.
   */
  async uploadFile(
    owner: ArtifactOwner,
    localPath: string,
    path?: string,
    options: ArtifactCallOptions = {},
  ): Promise<void> {
    const source = await fileSource(localPath);
    await this.upload(owner, path ?? source.name, source, options);
  }

  /** Stores all files below a local folder, below `path`. Symbolic links are `INVALID_ARGUMENT`. */
  async uploadFolder(
    owner: ArtifactOwner,
    localFolder: string,
    path = '',
    options: ArtifactCallOptions = {},
  ): Promise<void> {
    const base = checkArtifactPath(path, true);
    const store = await this.#store(owner, true, options);
    await boundedWork(CONCURRENCY, options.signal, async (add) => {
      for await (const { relativePath } of filesBelow(localFolder)) {
        const segments = store.check([...base, ...relativePath.split('/')].join('/'));
        const source = await fileSource(`${localFolder}/${relativePath}`);
        await add((signal) => store.upload(segments, source, { signal }));
      }
    });
  }

  /** The entries directly below `path` (default the root), folders first, then by name. A missing path gives none. */
  async list(owner: ArtifactOwner, path = '', options: ArtifactCallOptions = {}): Promise<ArtifactInfo[]> {
    checkArtifactPath(path, true);
    const store = await this.#store(owner, false, options);
    return foldersFirst(await store.list(store.check(path, true), options));
  }

  /**
   * Everything below `path` (default the root), depth first and by name, each folder before what it holds.
   * @param options.after goes on behind this path, the last one of an earlier listing
   */
  async *listAll(
    owner: ArtifactOwner,
    path = '',
    options: ArtifactCallOptions & { after?: string } = {},
  ): AsyncGenerator<ArtifactInfo> {
    const segments = checkArtifactPath(path, true);
    const { after = path } = options;
    const prefix = path === '' ? '' : `${path}/`;
    if (after !== path && !after.startsWith(prefix))
      throw invalid(`${JSON.stringify(after)} does not lie below ${path}.`);
    const store = await this.#store(owner, false, options);
    store.check(path, true);
    yield* walk(store, segments, options, after === path ? [] : after.slice(prefix.length).split('/'));
  }

  /** The content of one file. `NOT_FOUND` when missing or a folder. Errors after the start come through the stream. */
  async read(owner: ArtifactOwner, path: string, options: ArtifactCallOptions = {}): Promise<Readable> {
    checkArtifactPath(path);
    const store = await this.#store(owner, false, options);
    return (await store.open(store.check(path), options)).body;
  }

  /**
   * Copies a file or folder (`''` for all) into the local folder `destination`, created when missing. Nothing is written
   * outside of it; where a symbolic link or file is in the way it is `CONFLICT`, and a listed name that a disk cannot keep
   * or that leaves its folder is `UNSUPPORTED`. Sizes and, where the server sends them, checksums are compared; a broken
   * transfer is tried again.
   */
  async download(
    owner: ArtifactOwner,
    path: string,
    destination: string,
    options: ArtifactCallOptions = {},
  ): Promise<DownloadedArtifacts> {
    checkArtifactPath(path, true);
    const store = await this.#store(owner, false, options);
    return downloadTo(store, store.check(path, true), destination, options);
  }

  /** Removes a file or folder; a missing one has no effect. `CONFLICT` for a deleted run. */
  async delete(owner: ArtifactOwner, path: string, options: ArtifactCallOptions = {}): Promise<void> {
    checkArtifactPath(path);
    const store = await this.#store(owner, true, options);
    await store.delete(store.check(path), options);
  }

  async #store(owner: ArtifactOwner, active: boolean, options: ArtifactCallOptions): Promise<ArtifactStore> {
    throwIfAborted(options.signal);
    const root = parseArtifactUri(await this.#owners.uriOf(owner, active, options), this.options);
    if (root.kind === 'proxy') return new ProxyStore(this.transport, root.segments, this.#sending);
    if (root.kind === 'folder') return new FolderStore(root.folder, this.#sending.idleTimeout);
    return new ServerReadStore(this.transport, owner, root.serverReads, root.reason);
  }
}

function ignore(): void {}
