import { lstatSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { HubError } from '../../../core/errors.js';
import { IN_MEMORY } from '../../../embedded/store.options.js';
import { invalid } from '../../mlops.validation.js';
import type { LocalMLOpsOptions } from './local.options.js';
import { hasCode } from '../../mlops.artifact-paths.js';

/** MLflow's column for the artifact URI of a run has 200 characters; this is what a run adds to its experiment's. */
const RUN_URI_LIMIT = 200;
const RUN_SUFFIX = `/${'0'.repeat(32)}/artifacts`.length;
const LONGEST_ID = 10;
/** Folder for files that are being received, beside those of the experiments. */
const INCOMING = '.incoming';
/** How old a file in it has to be to count as left behind by a process that died, in ms. */
const LEFT_BEHIND = 3_600_000;

/** Where artifacts may lie, as `file://` URIs in the database and as folders on the disk. */
export class ArtifactFolders {
  private constructor(
    /** The folder below which experiments get theirs by default. */
    readonly root: string,
    /** The other allowed folders, without symbolic links on the way. */
    private readonly others: readonly string[],
    private readonly temporary: boolean,
  ) {}

  /** Makes the folder. `CONFIG_INVALID` when its path is too long for MLflow's columns. */
  static open({ dataDir, artifactRoots }: LocalMLOpsOptions): ArtifactFolders {
    const temporary = dataDir === IN_MEMORY;
    const folder = temporary ? mkdtempSync(join(tmpdir(), 'experiment-hub-')) : resolve(dataDir, 'artifacts');
    try {
      // Models and data of the application: nobody else's to read.
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw new HubError('UNAVAILABLE', `the artifact folder ${folder} cannot be made.`, { cause });
    }
    const root = realpathSync(folder);
    sweep(join(root, INCOMING));
    const length = pathToFileURL(root).href.length + 1 + LONGEST_ID + RUN_SUFFIX;
    if (length > RUN_URI_LIMIT) {
      if (temporary) rmSync(root, { recursive: true, force: true });
      throw new HubError(
        'CONFIG_INVALID',
        `the path of dataDir is too long by ${length - RUN_URI_LIMIT} characters: MLflow keeps artifact URIs in ` +
          `${RUN_URI_LIMIT}, and ${root} leaves no room for experiment and run. Choose a shorter dataDir.`,
      );
    }
    return new ArtifactFolders(
      root,
      artifactRoots.flatMap((other) => realOf(resolve(other)) ?? []),
      temporary,
    );
  }

  /** The artifact location of an experiment that names none. */
  locationOf(experimentId: number): string {
    return `${pathToFileURL(this.root).href}/${experimentId}`;
  }

  /** Checks a location that the caller names; see {@link folderOf}. */
  checkLocation(location: string): string {
    if (typeof location !== 'string') throw invalid('an artifact location has to be a string.');
    const uri = isAbsolute(location) ? pathToFileURL(location).href : location;
    const folder = this.#folder(uri);
    if (folder === undefined) {
      throw invalid(
        `the artifact location ${JSON.stringify(location)} has to be a folder or file:// URI within ${this.root} or one ` +
          'of the artifactRoots in the options.',
      );
    }
    const trimmed = uri.replace(/\/+$/, '');
    if (trimmed.length + RUN_SUFFIX <= RUN_URI_LIMIT) return trimmed;
    throw invalid(`the artifact location may have ${RUN_URI_LIMIT - RUN_SUFFIX} characters, not ${trimmed.length}.`);
  }

  /** The folder that an artifact URI of the database means. `UNSUPPORTED` for places this driver may not touch. */
  folderOf(uri: string): string {
    const folder = this.#folder(uri);
    if (folder !== undefined) return folder;
    throw new HubError(
      'UNSUPPORTED',
      `the artifacts lie at ${uri}, outside of ${this.root}. Allow a folder by artifactRoots in the options; use the ` +
        'mlflow driver for other kinds of storage.',
    );
  }

  /** Where to receive a file for the run folder `root`: on its file system, but where neither we nor MLflow list anything. */
  receivingFolder(root: string): string {
    return isBelow(root, this.root) ? join(this.root, INCOMING) : dirname(root);
  }

  /** Removes the folder when it was made for a database in memory. */
  close(): void {
    if (this.temporary) rmSync(this.root, { recursive: true, force: true });
  }

  /** Without symbolic links on the way: one that took the place of a folder could lead anywhere on the machine. */
  #folder(uri: string): string | undefined {
    const path = pathOf(uri);
    const folder = path === undefined ? undefined : realOf(path);
    if (folder === undefined) return undefined;
    return [this.root, ...this.others].some((root) => isBelow(folder, root)) ? folder : undefined;
  }
}

function pathOf(uri: string): string | undefined {
  try {
    // MLflow's own default for experiments that it makes is a plain path.
    return isAbsolute(uri) ? resolve(uri) : fileURLToPath(uri);
  } catch {
    // No URI of a file, one with a host name, or one with an encoded slash.
    return undefined;
  }
}

/** `path` without symbolic links, also when its last parts do not exist yet; `undefined` when a link on it leads nowhere. */
function realOf(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
    if (hasCode(error, 'ENOENT') && lstatSync(path, { throwIfNoEntry: false }) !== undefined) return undefined;
  }
  const parent = dirname(path);
  const real = parent === path ? undefined : realOf(parent);
  return real === undefined ? undefined : join(real, basename(path));
}

/** Removes what a killed process had not received to the end. Recent files may be another process's, which still writes. */
function sweep(folder: string): void {
  try {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (Date.now() - statSync(path).mtimeMs > LEFT_BEHIND) rmSync(path, { force: true });
    }
  } catch {
    // No such folder yet, or another process is as tidy: nothing depends on it.
  }
}

function isBelow(folder: string, root: string): boolean {
  const path = relative(root, folder);
  return path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}
