import type { Readable } from 'node:stream';
import type { ArtifactInfo } from '../../../mlops.types.js';
import type { UploadSource } from './upload-source.js';

/** What may stop an operation. */
export interface ArtifactCallOptions {
  /** Rejects with `ABORTED` when it fires. */
  signal?: AbortSignal;
}

/** An open artifact file. */
export interface OpenArtifact {
  /** Has to be read or destroyed; fails with a HubError when it breaks. */
  body: Readable;
  /** Headers of the answer, names in lower case; empty for files of this machine. */
  headers: Readonly<Record<string, string>>;
}

/** The artifacts of one run or logged model, wherever they lie. Paths have been checked by {@link ArtifactStore.check}. */
export interface ArtifactStore {
  /** Checks a path and returns its segments. `INVALID_ARGUMENT` for what this store cannot keep. */
  check(path: unknown, root?: boolean): string[];
  /** The entries directly below `segments`, by name; none when missing or a file. */
  list(segments: readonly string[], options: ArtifactCallOptions): Promise<ArtifactInfo[]>;
  /** Opens a file. `NOT_FOUND` when it is missing or a folder. */
  open(segments: readonly string[], options: ArtifactCallOptions): Promise<OpenArtifact>;
  /** Stores a file, all or nothing. `CONFLICT` where a folder is or a file is in the way. */
  upload(segments: readonly string[], source: UploadSource, options: ArtifactCallOptions): Promise<void>;
  /** Removes a file or folder; a missing one has no effect. */
  delete(segments: readonly string[], options: ArtifactCallOptions): Promise<void>;
}
