import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { HubError } from '../core/errors.js';
import { IN_MEMORY, type EmbeddedStoreOptions } from './store.options.js';

/** How long the owner of a store may take to leave its name beside it, in ms. */
const OWNER_NAME_WAIT = 250;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/** An open SQLite database (the API of better-sqlite3, which `libsql` shares). */
export type SqliteDatabase = InstanceType<typeof Database>;

/** What to open. */
export interface OpenStoreOptions extends EmbeddedStoreOptions {
  /** File name within `dataDir`, e.g. `tasks.db`. */
  file: string;
  /** Schema versions: the n-th entry brings a database from version n to n + 1 (`PRAGMA user_version`). */
  migrations: readonly string[];
}

/** A database file that one process owns, with its schema up to date. */
export interface EmbeddedStore {
  readonly db: SqliteDatabase;
  /** Where it lies; `:memory:` for one in memory. */
  readonly path: string;
  /** Closes the file and gives up its ownership. */
  close(): void;
}

/**
 * Opens a store for this process alone. SQLite's own exclusive lock keeps a second process (or a second application in
 * this one) out; the operating system frees it when the owner dies, however it dies.
 * Throws `STORE_LOCKED` with the owner's pid, and `UNAVAILABLE` when the file cannot be opened or is newer than this code.
 */
export function openStore(options: OpenStoreOptions): EmbeddedStore {
  const { dataDir, durability, file, migrations } = options;
  const inMemory = dataDir === IN_MEMORY;
  const path = inMemory ? IN_MEMORY : join(dataDir, file);
  const ownerFile = `${path}.owner`;
  const synchronous = durability === 'power' ? 'FULL' : 'NORMAL';
  const fresh = inMemory || !existsSync(path);
  const db = openDatabase(path, dataDir);
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA busy_timeout = 0; PRAGMA foreign_keys = ON');
    // Each sync of a new file's making costs the boot milliseconds. `power` pays for them: SQLite throws a synced log away
    // when the power took the first page of its database.
    const making = fresh && durability !== 'power' ? 'OFF' : synchronous;
    db.exec(`PRAGMA synchronous = ${making}; PRAGMA journal_mode = WAL`);
    // The lock is taken by the first write, not by the pragma.
    db.exec('BEGIN IMMEDIATE; COMMIT');
    migrate(db, migrations, path);
    db.exec(`PRAGMA synchronous = ${synchronous}`);
    if (!inMemory) writeFileSync(ownerFile, JSON.stringify({ pid: process.pid, since: new Date().toISOString() }));
  } catch (cause) {
    db.close();
    if (HubError.is(cause)) throw cause;
    throw isBusy(cause) ? lockedError(path, ownerFile, cause) : storeError(path, cause);
  }
  return {
    db,
    path,
    close() {
      // Removed while the lock is still held: afterwards it could be the next owner's.
      if (!inMemory) rmSync(ownerFile, { force: true });
      // libsql's close() keeps the file (and so its lock) until the last prepared statement is collected as garbage;
      // leaving WAL and exclusive mode gives the lock up now.
      try {
        if (!inMemory)
          db.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = NORMAL; SELECT 1 FROM sqlite_schema LIMIT 1');
      } catch {
        // On a full disk the WAL stays; the next one to open the file takes it up.
      } finally {
        db.close();
      }
    },
  };
}

/** Opens a database file, creating its folder for this user alone. `UNAVAILABLE` when that is not possible. */
export function openDatabase(path: string, folder: string): SqliteDatabase {
  try {
    if (path !== IN_MEMORY) mkdirSync(folder, { recursive: true, mode: 0o700 });
    return new Database(path);
  } catch (cause) {
    throw storeError(path, cause);
  }
}

function migrate(db: SqliteDatabase, migrations: readonly string[], path: string): void {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > migrations.length) {
    throw new HubError(
      'UNAVAILABLE',
      `${path} was written by a newer version of nestjs-experiment-hub (schema ${version}, known up to ` +
        `${migrations.length}). Upgrade the package, or choose another dataDir.`,
    );
  }
  for (let next = version; next < migrations.length; next += 1) {
    db.exec(`BEGIN IMMEDIATE; ${migrations[next]}; PRAGMA user_version = ${next + 1}; COMMIT`);
  }
}

/** Whether a SQLite error says that another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  return (
    error instanceof Error && /SQLITE_BUSY|SQLITE_LOCKED|database is locked/.test(`${codeOf(error)} ${error.message}`)
  );
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}

function lockedError(path: string, ownerFile: string, cause: unknown): HubError {
  const deadline = Date.now() + OWNER_NAME_WAIT;
  let owner = readOwner(ownerFile);
  // An owner leaves its name just after it has the lock: until then the file is missing, half written, or a dead one's.
  while ((owner === undefined || !isAlive(owner.pid)) && Date.now() < deadline) {
    Atomics.wait(PAUSE, 0, 0, 5);
    owner = readOwner(ownerFile);
  }
  if (owner === undefined) return locked(path, 'another process', cause, {});
  const { pid, since } = owner;
  return locked(path, pid === process.pid ? 'this process already' : `process ${pid} since ${since}`, cause, { pid });
}

function readOwner(ownerFile: string): { pid: number; since: string } | undefined {
  try {
    return JSON.parse(readFileSync(ownerFile, 'utf8')) as { pid: number; since: string };
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: somebody else's process.
    return error instanceof Error && codeOf(error) === 'EPERM';
  }
}

function locked(path: string, owner: string, cause: unknown, details: Record<string, unknown>): HubError {
  return new HubError(
    'STORE_LOCKED',
    `${path} is in use by ${owner}. The embedded stack is for one process: stop the other one, give this one a ` +
      'dataDir of its own, or move to a driver for several processes (rabbitmq, bullmq, celery).',
    { cause, details: { path, ...details } },
  );
}

function storeError(path: string, cause: unknown): HubError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new HubError('UNAVAILABLE', `the store ${path} cannot be opened: ${reason}`, { cause });
}
