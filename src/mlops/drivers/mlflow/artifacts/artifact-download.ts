import { createWriteStream } from 'node:fs';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { sleep, throwIfAborted } from '../../../../core/deadline.js';
import { errorMessage, HubError } from '../../../../core/errors.js';
import { retryDelay } from '../../../../core/retry.js';
import { makeFolders, placeFile } from '../../../mlops.artifact-paths.js';
import type { ArtifactInfo } from '../../../mlops.types.js';
import { invalid } from '../../../mlops.validation.js';
import { ReceivedChecksum } from './artifact-checksum.js';
import { checkLocalName } from './artifact-names.js';
import type { ArtifactCallOptions, ArtifactStore } from './artifact-store.js';
import { walk } from './artifact-walk.js';
import { boundedWork } from './bounded-work.js';

/** Files that are received at the same time. */
const CONCURRENCY = 4;
/** How often a file whose transfer broke is received from the start. */
const ATTEMPTS = 3;

/** A file that was received. */
export interface DownloadedFile {
  /** Among the artifacts. */
  path: string;
  /** On this machine, absolute. */
  localPath: string;
  /** Bytes. */
  size: number;
  /** SHA-256 of what was received, in hexadecimal. */
  sha256: string;
}

/** What a download made. */
export interface DownloadedArtifacts {
  /** The file or folder that was asked for, on this machine. */
  localPath: string;
  /** Every file, in no particular order. */
  files: DownloadedFile[];
}

/**
 * Copies a file or folder to `destination`, below its whole artifact path. Nothing is written outside of it, links in it
 * are not followed, and a file has its name only when it is complete.
 */
export async function downloadTo(
  store: ArtifactStore,
  segments: readonly string[],
  destination: string,
  options: ArtifactCallOptions,
): Promise<DownloadedArtifacts> {
  if (typeof destination !== 'string' || destination === '') throw invalid('the destination may not be empty.');
  throwIfAborted(options.signal);
  const target = resolve(destination);
  const files: DownloadedFile[] = [];
  const receive = async (entry: ArtifactInfo, signal: AbortSignal): Promise<void> => {
    files.push(await receiveFile(store, entry, target, signal));
  };
  await boundedWork(CONCURRENCY, options.signal, async (add) => {
    const entry = await entryOf(store, segments, options);
    if (!entry.isDirectory) return add((signal) => receive(entry, signal));
    if (segments.length > 0) checkLocalName(entry.path);
    await onDisk(target, () => makeFolders(target, segments));
    for await (const below of walk(store, segments, options)) {
      const names = checkLocalName(below.path);
      if (below.isDirectory) await onDisk(target, () => makeFolders(target, names));
      else await add((signal) => receive(below, signal));
    }
  });
  return { localPath: join(target, ...segments), files };
}

async function receiveFile(
  store: ArtifactStore,
  entry: ArtifactInfo,
  target: string,
  signal: AbortSignal,
): Promise<DownloadedFile> {
  const names = checkLocalName(entry.path);
  const segments = store.check(entry.path);
  const localPath = join(target, ...names);
  let listed = entry;
  for (let attempt = 1; ; attempt += 1) {
    const { body, headers } = await store.open(segments, { signal });
    try {
      const received = await onDisk(localPath, () =>
        placeFile(target, names, async (temporary) => {
          const checksum = new ReceivedChecksum(headers);
          const measure = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
            for await (const chunk of chunks) {
              checksum.update(chunk);
              yield chunk;
            }
          };
          await pipeline(body, measure, createWriteStream(temporary, { flags: 'wx' }), { signal });
          const { sha256, broken } = checksum.finish();
          if (broken !== undefined) throw incomplete(entry.path, `it does not agree with the header ${broken}`);
          // Where the server does not tell a size, the list says 0.
          if (listed.fileSize !== null && listed.fileSize > 0 && listed.fileSize !== checksum.size) {
            throw incomplete(entry.path, `${checksum.size} of ${listed.fileSize} bytes came`);
          }
          return { size: checksum.size, sha256 };
        }),
      );
      return { path: entry.path, localPath, ...received };
    } catch (error) {
      throwIfAborted(signal);
      if (attempt === ATTEMPTS || !HubError.is(error, 'UNAVAILABLE', 'TIMEOUT') || isLocal(error)) throw error;
      await sleep(retryDelay({ delay: 200, jitter: 0.5 }, attempt), signal);
      // It may have been replaced since it was listed.
      listed = await entryOf(store, segments, { signal });
    } finally {
      body.destroy();
    }
  }
}

async function entryOf(
  store: ArtifactStore,
  segments: readonly string[],
  options: ArtifactCallOptions,
): Promise<ArtifactInfo> {
  const path = segments.join('/');
  if (path === '') return { path, isDirectory: true, fileSize: null };
  const found = (await store.list(segments.slice(0, -1), options)).filter((entry) => entry.path === path);
  const entry = found.find(({ isDirectory }) => !isDirectory) ?? found[0];
  if (entry !== undefined) return entry;
  throw new HubError('NOT_FOUND', `there is no artifact file or folder ${JSON.stringify(path)}.`);
}

/** Turns failures of the local disk into errors that are not tried again. */
async function onDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  return work().catch((cause: unknown) => {
    if (HubError.is(cause)) throw cause;
    const message = `${path} cannot be written: ${errorMessage(cause)}`;
    throw new HubError('UNAVAILABLE', message, { cause, details: { local: true } });
  });
}

function isLocal(error: HubError): boolean {
  return error.details['local'] === true;
}

function incomplete(path: string, reason: string): HubError {
  return new HubError('UNAVAILABLE', `the artifact ${JSON.stringify(path)} was not received whole: ${reason}.`);
}
