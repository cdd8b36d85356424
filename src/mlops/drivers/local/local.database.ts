import { join } from 'node:path';
import { sleep } from '../../../core/deadline.js';
import { HubError } from '../../../core/errors.js';
import { isBusy, openDatabase, type SqliteDatabase } from '../../../embedded/store.js';
import { IN_MEMORY, type EmbeddedStoreOptions } from '../../../embedded/store.options.js';
import { HISTORY_INDEX, POINT_VIEW, SCHEMA } from './local.schema.js';

/** A value that can be bound to a statement. */
export type SqlValue = string | number | null;
/** A prepared statement; the package's own type needs the parameters of each as a tuple. */
interface Statement {
  get(...params: SqlValue[]): unknown;
  all(...params: SqlValue[]): unknown[];
  // As one list, which libsql takes as it is; it copies what is given one by one.
  run(params: readonly SqlValue[]): { changes: number };
}

/** How long another process (MLflow upgrading the file, say) may hold the database before a call fails, in ms. */
const BUSY_DEADLINE = 20_000;
/** How long SQLite itself waits, blocking the event loop, before the wait goes on asynchronously, in ms. */
const BUSY_TIMEOUT = 5;

/** The open MLflow database: statements prepared once, and retries while another process holds a lock. */
export class LocalDatabase {
  readonly #statements = new Map<string, Statement>();
  /** Resets the statement that met a lock in {@link runAlone}. */
  #reset: (() => void) | undefined;

  private constructor(
    private readonly db: SqliteDatabase,
    /** Where the file lies; `:memory:` for one in memory. */
    readonly path: string,
  ) {}

  /**
   * Opens `<dataDir>/mlflow.db`, made when missing. The file is shared with MLflow, so it is not locked.
   * `UNAVAILABLE` when it cannot be opened, is no MLflow database or one of before MLflow 2.8.
   */
  static async open({ dataDir, durability }: EmbeddedStoreOptions): Promise<LocalDatabase> {
    const path = dataDir === IN_MEMORY ? IN_MEMORY : join(dataDir, 'mlflow.db');
    const connection = openDatabase(path, dataDir);
    const database = new LocalDatabase(connection, path);
    try {
      connection.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
      await database.retry(() => connection.exec('PRAGMA journal_mode = WAL'));
      connection.exec(`PRAGMA synchronous = ${durability === 'power' ? 'FULL' : 'NORMAL'}; PRAGMA foreign_keys = ON`);
      // As MLflow does, so that LIKE means the same in both.
      connection.exec('PRAGMA case_sensitive_like = ON');
      await database.retry(() => database.transaction(() => database.#migrate()));
      connection.exec(POINT_VIEW);
      return database;
    } catch (cause) {
      database.close();
      if (HubError.is(cause)) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new HubError('UNAVAILABLE', `the store ${path} cannot be opened: ${reason}`, { cause });
    }
  }

  /** Runs `work` in one transaction that takes the write lock at its start. */
  transaction<T>(work: () => T): T {
    this.db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.db.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite may have rolled back by itself, on a full disk for instance.
      if (this.db.inTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Runs `work` within the open transaction; what it wrote is undone when it throws. */
  savepoint<T>(work: () => T): T {
    this.db.exec('SAVEPOINT item');
    try {
      const result = work();
      this.db.exec('RELEASE item');
      return result;
    } catch (error) {
      if (this.db.inTransaction) this.db.exec('ROLLBACK TO item; RELEASE item');
      throw error;
    }
  }

  /** Repeats `work` while another process holds a lock, without blocking the event loop. `UNAVAILABLE` after 20 s. */
  async retry<T>(work: () => T): Promise<T> {
    const deadline = Date.now() + BUSY_DEADLINE;
    for (;;) {
      try {
        this.#resetAlone();
        return work();
      } catch (error) {
        if (!isTransient(error)) throw error;
        if (Date.now() > deadline) {
          throw new HubError(
            'UNAVAILABLE',
            `${this.path} has been locked by another process for ${BUSY_DEADLINE} ms. Find who keeps a write transaction open.`,
            { cause: error },
          );
        }
      }
      await sleep(15);
    }
  }

  /** The first row. Read its columns by name only: libsql adds a key of its own to rows. */
  get<Row>(sql: string, ...params: SqlValue[]): Row | undefined {
    return this.#prepare(sql).get(...params) as Row | undefined;
  }

  /** All rows; see {@link get}. */
  all<Row>(sql: string, ...params: SqlValue[]): Row[] {
    return this.#prepare(sql).all(...params) as Row[];
  }

  /** All rows as arrays, which is faster for many. */
  arrays<Row extends unknown[]>(sql: string, ...params: SqlValue[]): Row[] {
    return this.#prepare(sql, true).all(...params) as Row[];
  }

  /** Runs a statement and returns how many rows it changed. */
  run(sql: string, ...params: SqlValue[]): number {
    return this.runWith(sql, params);
  }

  /** The same with the parameters as a list, for very many. */
  runWith(sql: string, params: readonly SqlValue[]): number {
    return this.#prepare(sql).run(params).changes;
  }

  /**
   * Runs a statement outside of any transaction.
   * @param idle parameters with which the statement fails without effect
   */
  runAlone(sql: string, params: readonly SqlValue[], idle: readonly SqlValue[]): void {
    try {
      this.run(sql, ...params);
    } catch (error) {
      // libsql leaves a statement that met a lock as it is; until it runs again, it keeps the connection at the state
      // of the database that it saw, from which no transaction can begin once another process has written.
      if (isTransient(error)) this.#reset = () => void this.run(sql, ...idle);
      throw error;
    }
  }

  /** Runs a statement whose text depends on the caller's search, without keeping it prepared. */
  once<Row>(sql: string, params: readonly SqlValue[]): Row[] {
    return this.db.prepare<SqlValue[]>(sql).all(...params) as Row[];
  }

  /** Closes the file. */
  close(): void {
    this.#statements.clear();
    this.db.close();
  }

  #resetAlone(): void {
    try {
      this.#reset?.();
    } catch (error) {
      if (isTransient(error)) throw error;
    }
    this.#reset = undefined;
  }

  #prepare(sql: string, raw = false): Statement {
    const key = raw ? `raw ${sql}` : sql;
    let statement = this.#statements.get(key);
    if (statement === undefined) {
      const prepared = this.db.prepare(sql) as unknown as Statement & { raw(): Statement };
      statement = raw ? prepared.raw() : prepared;
      this.#statements.set(key, statement);
    }
    return statement;
  }

  #migrate(): void {
    const tables = this.once<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'", []).map(
      (row) => row.name,
    );
    if (!tables.includes('alembic_version')) {
      if (tables.includes('experiments') || tables.includes('runs')) {
        throw new HubError('UNAVAILABLE', `${this.path} is no MLflow database. Choose another dataDir.`);
      }
      this.db.exec(SCHEMA);
    }
    const columns = this.once<{ name: string }>("SELECT name FROM pragma_table_info('model_versions')", []);
    if (!columns.some((column) => column.name === 'storage_location')) {
      throw new HubError(
        'UNAVAILABLE',
        `${this.path} was made by an MLflow before 2.8. Bring it up to date: mlflow db upgrade sqlite:///${this.path}`,
      );
    }
    this.db.exec(HISTORY_INDEX);
  }
}

/** Whether an error passes by itself: a lock, or a table that MLflow's upgrade is just making anew. */
function isTransient(error: unknown): boolean {
  return isBusy(error) || (error instanceof Error && /no such table|database schema has changed/.test(error.message));
}
