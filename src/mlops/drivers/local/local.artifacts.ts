import { randomUUID } from 'node:crypto';
import { constants, createWriteStream } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HubError } from '../../../core/errors.js';
import type { Durability } from '../../../embedded/store.options.js';
import type { ArtifactInfo } from '../../mlops.types.js';
import { checkArtifactPath, invalid } from '../../mlops.validation.js';
import { InFlight } from '../../mlops.in-flight.js';
import { entryAt, hasCode, makeFolders } from '../../mlops.artifact-paths.js';

/** How long an upload may bring nothing before it is given up, in ms: a peer that stalls must not hold up its run. */
const UPLOAD_IDLE_MS = 60_000;

/** How the folder of a run is found. */
export interface ArtifactRoots {
  /** The folder of a run. `NOT_FOUND`, `UNSUPPORTED`, and with `active` also `CONFLICT` when the run is deleted. */
  rootOf(runId: string, active: boolean): Promise<string>;
}

/** Where files are received before they take their place. */
export interface ReceivingFolders {
  /** A folder on the file system of the run folder `root`. */
  receivingFolder(root: string): string;
}

/** The artifact files of runs. */
export class LocalArtifacts {
  readonly inFlight = new InFlight();
  #closed = false;

  /** @param idleTimeout how long an upload may bring nothing before it is `TIMEOUT`, in ms */
  constructor(
    private readonly roots: ArtifactRoots,
    private readonly folders: ReceivingFolders,
    private readonly durability: Durability,
    private readonly idleTimeout: number = UPLOAD_IDLE_MS,
  ) {}

  /** Stores `content` at `path`. `TIMEOUT` when it stalls, `PAYLOAD_INVALID` when it fails, `CLOSED` after {@link close}. */
  async write(runId: string, content: Readable, path: string): Promise<void> {
    if (!(content instanceof Readable)) throw invalid('the content has to be a Readable stream.');
    // Heard from the start: an error event without a listener ends the process.
    let failure: Error | undefined = content.errored ?? undefined;
    const onError = (error: Error): void => {
      failure ??= error;
    };
    content.on('error', onError);
    try {
      const segments = checkArtifactPath(path);
      await this.inFlight.track(runId, path, async (earlier) => {
        const root = await this.roots.rootOf(runId, true);
        const folder = this.folders.receivingFolder(root);
        const temporary = join(folder, `.incoming-${randomUUID()}`);
        try {
          this.#ensureOpen();
          await mkdir(folder, { recursive: true });
          if (failure !== undefined) throw unreadable(failure);
          await this.#receive(content, temporary);
          await earlier;
          this.#ensureOpen();
          await this.#place(temporary, root, segments);
        } finally {
          await rm(temporary, { force: true });
        }
      });
    } catch (error) {
      content.destroy();
      if (HubError.is(error)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new HubError('UNAVAILABLE', `the artifact ${path} cannot be written: ${reason}`, { cause: error });
    } finally {
      // Kept a little longer: a stream that is being destroyed tells its error later.
      setImmediate(() => content.off('error', onError));
    }
  }

  /** Ends uploads under way: nothing appears among the artifacts any more. */
  close(): void {
    this.#closed = true;
  }

  async list(runId: string, path = ''): Promise<ArtifactInfo[]> {
    const segments = checkArtifactPath(path, true);
    await this.inFlight.before(runId, path);
    const root = await this.roots.rootOf(runId, false);
    if ((await entryAt(root, segments))?.isDirectory() !== true) return [];
    const names = await readdir(join(root, ...segments)).catch(() => []);
    const entries: ArtifactInfo[] = [];
    for (const name of names) {
      const stats = await entryAt(root, [...segments, name]);
      if (stats === undefined) continue;
      const isDirectory = stats.isDirectory();
      entries.push({ path: [...segments, name].join('/'), isDirectory, fileSize: isDirectory ? null : stats.size });
    }
    return entries.sort((a, b) => Number(b.isDirectory) - Number(a.isDirectory) || (a.path < b.path ? -1 : 1));
  }

  async read(runId: string, path: string): Promise<Readable> {
    const segments = checkArtifactPath(path);
    await this.inFlight.before(runId, path);
    const root = await this.roots.rootOf(runId, false);
    if ((await entryAt(root, segments))?.isFile() !== true) throw missing(runId, path);
    // Not followed even when a link took the file's place since it was looked at.
    const file = await open(join(root, ...segments), constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch(
      (cause: unknown) => {
        if (hasCode(cause, 'ENOENT') || hasCode(cause, 'ELOOP')) throw missing(runId, path);
        throw cause;
      },
    );
    return file.createReadStream();
  }

  async download(runId: string, path: string, destination: string): Promise<string> {
    const segments = checkArtifactPath(path, true);
    if (typeof destination !== 'string' || destination === '') throw invalid('the destination may not be empty.');
    await this.inFlight.before(runId, path);
    const root = await this.roots.rootOf(runId, false);
    const stats = await entryAt(root, segments);
    if (stats === undefined && segments.length > 0) throw missing(runId, path);
    const target = resolve(destination);
    if (stats?.isFile() === true) await this.#copy(runId, segments, target);
    else await this.#copyFolder(runId, segments, target);
    return join(target, ...segments);
  }

  async delete(runId: string, path: string): Promise<void> {
    const segments = checkArtifactPath(path);
    await this.inFlight.track(runId, path, async (earlier) => {
      await earlier;
      const root = await this.roots.rootOf(runId, true);
      if ((await entryAt(root, segments)) === undefined) return;
      await rm(join(root, ...segments), { recursive: true, force: true });
    });
  }

  async #copyFolder(runId: string, segments: readonly string[], target: string): Promise<void> {
    await makeFolders(target, segments);
    for (const { path, isDirectory } of await this.list(runId, segments.join('/'))) {
      if (isDirectory) await this.#copyFolder(runId, path.split('/'), target);
      else await this.#copy(runId, path.split('/'), target);
    }
  }

  async #copy(runId: string, segments: readonly string[], target: string): Promise<void> {
    const content = await this.read(runId, segments.join('/'));
    await mkdir(target, { recursive: true });
    const temporary = join(target, `.incoming-${randomUUID()}`);
    try {
      await pipeline(content, createWriteStream(temporary, { flags: 'wx' }));
      await this.#place(temporary, target, segments);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async #receive(content: Readable, temporary: string): Promise<void> {
    const file = createWriteStream(temporary, { flags: 'wx' });
    // The pipeline hands the error of either side to the other; the side that has it first is where it comes from.
    let first: 'content' | 'file' | undefined;
    content.once('error', () => (first ??= 'content'));
    file.once('error', () => (first ??= 'file'));
    let stalled: HubError | undefined;
    const idle = setTimeout(() => {
      stalled = new HubError('TIMEOUT', `the content brought nothing for ${this.idleTimeout} ms.`);
      content.destroy(stalled);
    }, this.idleTimeout).unref();
    const received = pipeline(content, file);
    const onProgress = (): void => void idle.refresh();
    // Only now: a listener for data starts the flow, and the pipeline has to be there for the first chunk.
    content.on('data', onProgress);
    file.on('drain', onProgress);
    await received
      .finally(() => {
        clearTimeout(idle);
        content.off('data', onProgress);
      })
      .catch((error: unknown) => {
        if (stalled !== undefined) throw stalled;
        // A stream that was destroyed without an error is told to the file only.
        throw first === 'file' && !hasCode(error, 'ERR_STREAM_PREMATURE_CLOSE') ? error : unreadable(error);
      });
    if (this.durability === 'power') await sync(temporary);
  }

  #ensureOpen(): void {
    if (this.#closed) throw new HubError('CLOSED', 'the plugin was shut down before the artifact was complete.');
  }

  /** Moves a finished file to its place; the move is atomic and replaces a link instead of following it. */
  async #place(temporary: string, root: string, segments: readonly string[]): Promise<void> {
    await makeFolders(root, segments.slice(0, -1));
    const target = join(root, ...segments);
    const existing = await lstat(target).catch(() => undefined);
    if (existing?.isDirectory() === true) {
      throw new HubError('CONFLICT', `${segments.join('/')} is a folder: a file cannot take its place.`);
    }
    await rename(temporary, target);
    if (this.durability === 'power') await sync(dirname(target));
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function missing(runId: string, path: string): HubError {
  return new HubError('NOT_FOUND', `run ${runId} has no artifact file or folder ${JSON.stringify(path)}.`);
}

function unreadable(cause: unknown): HubError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new HubError('PAYLOAD_INVALID', `the content failed while it was read: ${reason}`, { cause });
}
