import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { lstat, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HubError } from '../core/errors.js';

/**
 * The entry at `segments` below the local folder `root`, or `undefined` when missing. Symbolic links count as missing,
 * also on the way: following one could lead anywhere on the machine.
 */
export async function entryAt(root: string, segments: readonly string[]): Promise<Stats | undefined> {
  let path = root;
  let stats = await statsOf(path);
  for (const segment of segments) {
    if (stats?.isDirectory() !== true) return undefined;
    path = join(path, segment);
    stats = await statsOf(path);
  }
  return stats?.isFile() === true || stats?.isDirectory() === true ? stats : undefined;
}

/** Makes the folders `segments` below `root`. `CONFLICT` where a file or a symbolic link is in the way. */
export async function makeFolders(root: string, segments: readonly string[]): Promise<void> {
  await mkdir(root, { recursive: true });
  let path = root;
  for (const segment of segments) {
    path = join(path, segment);
    await mkdir(path).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
    if ((await statsOf(path))?.isDirectory() !== true) {
      throw new HubError('CONFLICT', `${path} is no folder: nothing can be stored below it.`);
    }
  }
}

/**
 * Stores a file at `segments` below `root`: `receive` writes it under a temporary name, and only when it resolved the file
 * takes its place, at once and replacing a link instead of following it. `CONFLICT` where a folder is, or where a file or
 * link is in the way.
 * @param waiting where the temporary file lies, on the same file system; default `root`
 */
export async function placeFile<T>(
  root: string,
  segments: readonly string[],
  receive: (temporary: string) => Promise<T>,
  waiting = root,
): Promise<T> {
  await mkdir(waiting, { recursive: true });
  const temporary = join(waiting, `.incoming-${randomUUID()}`);
  try {
    const result = await receive(temporary);
    await makeFolders(root, segments.slice(0, -1));
    const target = join(root, ...segments);
    if ((await statsOf(target))?.isDirectory() === true) {
      throw new HubError('CONFLICT', `${target} is a folder: a file cannot take its place.`);
    }
    await rename(temporary, target);
    return result;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Whether `error` is one of Node's system errors with that code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

async function statsOf(path: string): Promise<Stats | undefined> {
  return lstat(path).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  });
}
