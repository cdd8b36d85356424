import { errorMessage, HubError } from '../../../../core/errors.js';
import type { EmbeddedStore } from '../../../../embedded/store.js';
import { BATCH_LIMITS } from '../client/log-batch.split.js';
import type { NumberedWrite } from './run-write.js';
import type { RejectedWrite, SpooledRun } from './spool.schema.js';
import { decodeWrite, encodeWrite } from './write-codec.js';
import { WriteGroup } from './write-group.js';

type SqlValue = string | number;
/** A prepared statement; the package's own type needs the parameters of each as a tuple. */
interface Statement {
  all(...params: SqlValue[]): unknown[];
  run(params: readonly SqlValue[]): { changes: number };
}
/** An entry as it lies in the file. */
export type EntryRow = [
  seq: number,
  runId: string,
  kind: string,
  content: string,
  items: number,
  bytes: number,
  time: number,
];

const ENTRY = 'seq, run_id, kind, content, items, bytes, time';
const INSERT = `INSERT INTO entries (${ENTRY}) VALUES (?, ?, ?, ?, ?, ?, ?)`;

/** The statements on one file of the spool. All are synchronous; a failing one has no effect. */
export class SpoolFile {
  readonly #statements = new Map<string, Statement>();

  constructor(private readonly store: EmbeddedStore) {}

  get path(): string {
    return this.store.path;
  }

  /** Runs `work` in one transaction; a second time when the first fails and room can be made in the log. */
  transaction<T>(work: () => T): T {
    try {
      return this.#attempt(work);
    } catch {
      // On a full disk even a removal needs room in SQLite's log, which empties itself into the file only when it is long.
      this.store.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      return this.#attempt(work);
    }
  }

  /** Adds a write with its own place in the order. */
  insert({ seq, runId, write, items, bytes }: NumberedWrite, time: number): void {
    this.#run(INSERT, [seq, runId, write.kind, encodeWrite(write), items, bytes, time]);
  }

  /** Puts an entry of another file on the stage, behind those that are there. */
  stage([, ...rest]: EntryRow): void {
    this.#run('INSERT INTO staged (run_id, kind, content, items, bytes, time) VALUES (?, ?, ?, ?, ?, ?)', rest);
  }

  /** The runs that have entries on the stage. */
  stagedRuns(): SpooledRun[] {
    return this.#runsOf(
      'SELECT run_id, count(*), min(place), max(place), sum(bytes) FROM staged GROUP BY run_id ORDER BY min(place)',
    );
  }

  /** Makes entries of what is on the stage, with places after `seq`. In a transaction. */
  takeStage(seq: number): void {
    this.#run(
      `INSERT INTO entries (${ENTRY}) SELECT place + ?, run_id, kind, content, items, bytes, time FROM staged ORDER BY place`,
      [seq],
    );
    this.clearStage();
  }

  clearStage(): void {
    this.#run('DELETE FROM staged', []);
  }

  /** The next writes of a run after the place `after`, in order, as many as go into one request. */
  next(runId: string, after: number): NumberedWrite[] {
    // The contents are read only once it is known how many are needed: each may be large.
    const sizes = this.#all<[number, string, number, number]>(
      'SELECT seq, kind, items, bytes FROM entries WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?',
      runId,
      after,
      BATCH_LIMITS.items,
    );
    let [count, items, bytes] = [0, 0, 0];
    for (const [, kind, itemCount, byteCount] of sizes) {
      items += itemCount;
      bytes += byteCount;
      if (count > 0 && (kind !== 'batch' || items > BATCH_LIMITS.items || bytes > BATCH_LIMITS.bytes)) break;
      count += 1;
      if (kind !== 'batch') break;
    }
    const group = new WriteGroup<NumberedWrite>();
    for (const [seq, , kind, content, itemCount, byteCount] of this.#all<EntryRow>(
      `SELECT ${ENTRY} FROM entries WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?`,
      runId,
      after,
      count,
    )) {
      const write = { runId, seq, items: itemCount, bytes: byteCount, write: decodeWrite(kind, content) };
      if (!group.add(write)) break;
    }
    return group.writes;
  }

  /** Removes the entries of a run up to the place `last`. */
  remove(runId: string, last: number): void {
    this.#run('DELETE FROM entries WHERE run_id = ? AND seq <= ?', [runId, last]);
  }

  /** Moves the entries of a run from `first` to `last` to the rejected ones, and tells their bytes. In a transaction. */
  reject(runId: string, first: number, last: number, error: unknown): number {
    const code = HubError.is(error) ? error.code : 'INTERNAL';
    const range = [runId, first, last] as const;
    const [sizes] = this.#all<[number]>(
      'SELECT coalesce(sum(octet_length(content)), 0) FROM entries WHERE run_id = ? AND seq BETWEEN ? AND ?',
      ...range,
    );
    this.#run(
      `INSERT INTO rejected (run_id, kind, content, written, code, reason, time)
       SELECT run_id, kind, content, time, ?, ?, ? FROM entries WHERE run_id = ? AND seq BETWEEN ? AND ? ORDER BY seq`,
      [code, errorMessage(error), Date.now(), ...range],
    );
    this.remove(runId, last);
    return sizes?.[0] ?? 0;
  }

  /** The runs that have entries, the one with the oldest first. */
  runs(): SpooledRun[] {
    return this.#runsOf(
      'SELECT run_id, count(*), min(seq), max(seq), sum(bytes) FROM entries GROUP BY run_id ORDER BY min(seq)',
    );
  }

  /** When the oldest entry was spooled, in ms since 1970. */
  oldest(): number | undefined {
    return this.#all<[number]>('SELECT time FROM entries ORDER BY seq LIMIT 1')[0]?.[0];
  }

  /** The first entries after the place `after`, whatever their run. */
  head(after: number, count: number): EntryRow[] {
    return this.#all<EntryRow>(`SELECT ${ENTRY} FROM entries WHERE seq > ? ORDER BY seq LIMIT ?`, after, count);
  }

  /** Removes the entries up to a place, whatever their run. */
  removeHead(last: number): void {
    this.#run('DELETE FROM entries WHERE seq <= ?', [last]);
  }

  rejected(limit: number): RejectedWrite[] {
    const rows = this.#all<[number, string, string, string, number, string, string, number]>(
      'SELECT id, run_id, kind, content, written, code, reason, time FROM rejected ORDER BY id LIMIT ?',
      limit,
    );
    return rows.map(([id, runId, kind, content, written, code, reason, time]) => {
      return { id, runId, kind, content, written, code, reason, time };
    });
  }

  insertRejected({ runId, kind, content, written, code, reason, time }: RejectedWrite): void {
    this.#run(
      'INSERT INTO rejected (run_id, kind, content, written, code, reason, time) VALUES (?, ?, ?, ?, ?, ?, ?)',
      [runId, kind, content, written, code, reason, time],
    );
  }

  /** Forgets a rejected write, and tells its bytes; `undefined` when there is none of that id. */
  removeRejected(id: number): number | undefined {
    const [row] = this.#all<[number]>('SELECT octet_length(content) FROM rejected WHERE id = ?', id);
    this.#run('DELETE FROM rejected WHERE id = ?', [id]);
    return row?.[0];
  }

  /** How many rejected writes there are, and the bytes of their contents. */
  sizeOfRejected(): { count: number; bytes: number } {
    const [row] = this.#all<[number, number]>('SELECT count(*), coalesce(sum(octet_length(content)), 0) FROM rejected');
    return { count: row?.[0] ?? 0, bytes: row?.[1] ?? 0 };
  }

  /** Gives the room of removed entries back to the disk. */
  shrink(): void {
    this.store.db.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
  }

  close(): void {
    this.#statements.clear();
    this.store.close();
  }

  #attempt<T>(work: () => T): T {
    const { db } = this.store;
    db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      db.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite may have rolled back by itself, on a full disk for instance.
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  #runsOf(sql: string): SpooledRun[] {
    const rows = this.#all<[string, number, number, number, number]>(sql);
    return rows.map(([runId, count, first, last, bytes]) => ({ runId, count, first, last, bytes }));
  }

  #all<Row extends unknown[]>(sql: string, ...params: SqlValue[]): Row[] {
    return this.#prepare(sql).all(...params) as Row[];
  }

  #run(sql: string, params: readonly SqlValue[]): number {
    return this.#prepare(sql).run(params).changes;
  }

  #prepare(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      const prepared = this.store.db.prepare(sql) as unknown as Statement & { raw(): Statement };
      // Rows as arrays: faster, and libsql adds a key of its own to objects. Only a SELECT has rows.
      statement = sql.startsWith('SELECT') ? prepared.raw() : prepared;
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
