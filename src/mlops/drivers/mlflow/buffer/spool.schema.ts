/** Versions of the spool's schema, see `openStore`. */
export const SPOOL_MIGRATIONS: readonly string[] = [
  `CREATE TABLE entries (
     seq INTEGER PRIMARY KEY,
     run_id TEXT NOT NULL,
     kind TEXT NOT NULL,
     content TEXT NOT NULL,
     items INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     time INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX entries_of_run ON entries (run_id, seq);
   CREATE TABLE rejected (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     run_id TEXT NOT NULL,
     kind TEXT NOT NULL,
     content TEXT NOT NULL,
     written INTEGER NOT NULL,
     code TEXT NOT NULL,
     reason TEXT NOT NULL,
     time INTEGER NOT NULL
   ) STRICT;`,
  // What is being taken over from another file, and is not replayed before all of it is here.
  `CREATE TABLE staged (
     place INTEGER PRIMARY KEY,
     run_id TEXT NOT NULL,
     kind TEXT NOT NULL,
     content TEXT NOT NULL,
     items INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     time INTEGER NOT NULL
   ) STRICT;`,
];

/** The spooled entries of one run. */
export interface SpooledRun {
  runId: string;
  count: number;
  /** Lowest and highest place in the order of the calls. */
  first: number;
  last: number;
  bytes: number;
}

/** A write that the server refused after it had been acknowledged. */
export interface RejectedWrite {
  id: number;
  runId: string;
  /** `batch`, `inputs` or `end`. */
  kind: string;
  /**
   * What was written, as JSON. Of a batch `{ metrics: [[key, value, timestamp, step]], params: [[key, value]],
   * tags: [[key, value]] }`, with NaN as text; of inputs the list of data sets; of an end `{ status, endTime }`.
   */
  content: string;
  /** When it was spooled, in ms since 1970. */
  written: number;
  /** Code of the HubError with which the server refused it. */
  code: string;
  /** Its message. */
  reason: string;
  /** When it was refused, in ms since 1970. */
  time: number;
}
