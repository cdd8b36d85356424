import { createReadStream } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { HubError } from '../core/errors.js';

/** @internal Bytes that files are read in: Node's own 64 KiB cost an upload about half as much processor time again. */
export const FILE_PIECE = 1024 * 1024;

/** @internal The whole content of a stream. */
export const bufferOf = (stream: Readable): Promise<Buffer> => buffer(stream);

/** @internal A local file to upload. `NOT_FOUND` when missing, `INVALID_ARGUMENT` when it is no regular file. */
export async function readableFile(path: string): Promise<{ name: string; open: () => Readable }> {
  const stats = await lstat(path).catch((cause: unknown) => {
    throw new HubError('NOT_FOUND', `there is no local file ${path}.`, { plugin: 'mlops', cause });
  });
  if (!stats.isFile()) {
    // A link could point anywhere on the machine; what is uploaded has to be what the caller named.
    const kind = stats.isSymbolicLink() ? 'a symbolic link' : stats.isDirectory() ? 'a folder' : 'not a regular file';
    const hint = stats.isDirectory() ? ' Use logArtifacts for folders.' : '';
    throw new HubError('INVALID_ARGUMENT', `${path} is ${kind}.${hint}`, { plugin: 'mlops' });
  }
  return { name: basename(path), open: () => createReadStream(path, { highWaterMark: FILE_PIECE }) };
}

/** @internal All regular files below a folder, with paths relative to it. */
export async function* filesBelow(
  folder: string,
  prefix = '',
): AsyncGenerator<{ relativePath: string; open: () => Readable }> {
  const names = await readdir(join(folder, prefix)).catch((cause: unknown) => {
    throw new HubError('NOT_FOUND', `there is no local folder ${folder}.`, { plugin: 'mlops', cause });
  });
  for (const name of names.sort()) {
    const relativePath = prefix === '' ? name : `${prefix}/${name}`;
    const path = join(folder, relativePath);
    if ((await lstat(path)).isDirectory()) yield* filesBelow(folder, relativePath);
    else yield { relativePath, open: (await readableFile(path)).open };
  }
}

/** @internal The artifact path of `name` in `folder`, where `''` is the root. */
export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder.replace(/\/+$/, '')}/${name}`;
}
