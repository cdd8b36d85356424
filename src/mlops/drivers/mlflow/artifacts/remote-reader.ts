import { HubError } from '../../../../core/errors.js';
import type { ArtifactInfo } from '../../../mlops.types.js';
import type { Download, MLflowRequest, MLflowTransport } from '../client/mlflow.transport.types.js';
import { checkListedName } from './artifact-names.js';
import type { ArtifactCallOptions, OpenArtifact } from './artifact-store.js';

/** Where the server lists and gives the artifacts of one root. */
export interface RemotePlaces {
  /** The request that lists a folder; a page token is added to its query. */
  list(segments: readonly string[]): MLflowRequest;
  /** Whether listed paths begin with the folder's own, instead of being names in it. */
  listsWholePaths: boolean;
  /** The request that gives a file. */
  read(segments: readonly string[]): MLflowRequest;
}

interface ListPage {
  files?: { path?: string; is_dir?: boolean; file_size?: number | string }[];
  next_page_token?: string;
}

/** Lists and reads artifacts over HTTP. */
export class RemoteReader {
  constructor(
    private readonly transport: MLflowTransport,
    private readonly places: RemotePlaces,
  ) {}

  /** The entries directly below `segments`; none when missing. `UNSUPPORTED` when the server lists what is no name. */
  async list(segments: readonly string[], { signal }: ArtifactCallOptions): Promise<ArtifactInfo[]> {
    const request = this.places.list(segments);
    const entries = new Map<string, ArtifactInfo>();
    const tokens = new Set<string>();
    let token: string | undefined;
    do {
      const page = await this.transport
        .json<ListPage>({
          ...request,
          query: { ...request.query, page_token: token },
          ...(signal === undefined ? {} : { signal }),
        })
        .catch((error: unknown): ListPage => {
          // The root of the store is there by definition; below it, some stores tell that a folder is missing.
          if (segments.length > 0 && HubError.is(error, 'NOT_FOUND')) return {};
          throw error;
        });
      for (const file of page.files ?? []) {
        const entry = this.#entry(segments, file);
        entries.set(`${entry.path}/${String(entry.isDirectory)}`, entry);
      }
      token = page.next_page_token;
      // A token that comes back would be asked for without end.
      if (token !== undefined && tokens.has(token)) break;
      if (token !== undefined) tokens.add(token);
    } while (token !== undefined && token !== '');
    return [...entries.values()];
  }

  /** The entry at `segments`, or `undefined`; the root is a folder. */
  async entry(segments: readonly string[], options: ArtifactCallOptions): Promise<ArtifactInfo | undefined> {
    const path = segments.join('/');
    if (path === '') return { path, isDirectory: true, fileSize: null };
    const siblings = await this.list(segments.slice(0, -1), options);
    return (
      siblings.find((sibling) => sibling.path === path && !sibling.isDirectory) ?? siblings.find((s) => s.path === path)
    );
  }

  /** Opens a file. `NOT_FOUND` when it is missing or a folder. */
  async open(segments: readonly string[], options: ArtifactCallOptions): Promise<OpenArtifact> {
    const { signal } = options;
    const request = { ...this.places.read(segments), ...(signal === undefined ? {} : { signal }) };
    let download: Download;
    try {
      // Not repeated at first: servers before 3.11 answer 500 when the file is missing, as if they were out of order.
      download = await this.transport.download({ ...request, attempts: 1 });
    } catch (error) {
      if (HubError.is(error, 'ABORTED', 'UNAUTHORIZED', 'CLOSED')) throw error;
      const entry = await this.entry(segments, options);
      if (entry === undefined || entry.isDirectory) throw missing(segments, entry !== undefined, error);
      download = await this.transport.download(request);
    }
    return { body: download.body, headers: download.headers };
  }

  #entry(segments: readonly string[], file: NonNullable<ListPage['files']>[number]): ArtifactInfo {
    const folder = segments.join('/');
    const prefix = this.places.listsWholePaths && folder !== '' ? `${folder}/` : '';
    const path =
      typeof file.path === 'string' && file.path.startsWith(prefix) ? file.path.slice(prefix.length) : file.path;
    const name = checkListedName(path, folder);
    const isDirectory = file.is_dir === true;
    // The size of an empty file is left out of the answer.
    const fileSize = isDirectory ? null : Number(file.file_size ?? 0);
    return { path: [...segments, name].join('/'), isDirectory, fileSize };
  }
}

function missing(segments: readonly string[], isFolder: boolean, cause: unknown): HubError {
  const path = JSON.stringify(segments.join('/'));
  return new HubError('NOT_FOUND', isFolder ? `the artifact ${path} is a folder.` : `there is no artifact ${path}.`, {
    cause,
  });
}
