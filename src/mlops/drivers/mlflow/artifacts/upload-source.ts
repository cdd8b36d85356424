import { createReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { FILE_PIECE, readableFile } from '../../../mlops.artifacts.js';
import { invalid } from '../../../mlops.validation.js';

/** What is uploaded. */
export interface UploadSource {
  /** Opens the content. Called once, or, where `repeatable`, once per attempt. */
  open(): Readable;
  /** Bytes, when known: content of another length is `PAYLOAD_INVALID`. Decides whether parts are used. */
  size?: number;
  /** Whether `open` gives the same content again, so that an upload that failed can be sent again. */
  repeatable: boolean;
}

/** What uploads take. Text is stored as UTF-8. */
export type ArtifactContent = Readable | Uint8Array | string | UploadSource;

/** The source of some content. `INVALID_ARGUMENT` for anything else. */
export function sourceOf(content: ArtifactContent, size?: number): UploadSource {
  if (typeof content === 'string' || content instanceof Uint8Array) {
    const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : Buffer.from(content);
    return { open: () => Readable.from([bytes]), size: bytes.length, repeatable: true };
  }
  if (content instanceof Readable) {
    return { open: () => content, repeatable: false, ...(size === undefined ? {} : { size }) };
  }
  if (typeof content === 'object' && content !== null && typeof content.open === 'function') return content;
  throw invalid('the content has to be a Readable stream, bytes, text or an UploadSource.');
}

/**
 * A local file as it is now: what is appended to it later is not uploaded, so that a log can be uploaded while it grows.
 * `NOT_FOUND` when missing, `INVALID_ARGUMENT` for folders and symbolic links.
 */
export async function fileSource(localPath: string): Promise<UploadSource & { name: string }> {
  const { name } = await readableFile(localPath);
  const { size } = await lstat(localPath);
  const open = (): Readable =>
    size === 0 ? Readable.from([]) : createReadStream(localPath, { end: size - 1, highWaterMark: FILE_PIECE });
  return { name, open, size, repeatable: true };
}
