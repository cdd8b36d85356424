import Database from 'libsql';

/** SQLite by hand: one metrics table and a prepared insert. */
export interface RawMetrics {
  db: { exec(sql: string): void; prepare(sql: string): { iterate(): IterableIterator<unknown> } };
  insert(key: string, step: number): void;
}

/** As long as a run id is. */
export const RUN = '0123456789abcdef0123456789abcdef';

/** MLflow's metrics table in a file of its own, with the PRAGMAs that the local driver uses. */
export function rawMetrics(path: string): RawMetrics {
  const db = new Database(path);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
  db.exec(`CREATE TABLE IF NOT EXISTS runs (run_uuid VARCHAR(32) NOT NULL PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS metrics (key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
      run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, is_nan BOOLEAN DEFAULT '0' NOT NULL,
      CONSTRAINT metric_pk PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan),
      FOREIGN KEY (run_uuid) REFERENCES runs (run_uuid), CHECK (is_nan IN (0, 1)));
    CREATE INDEX IF NOT EXISTS index_metrics_run_uuid ON metrics (run_uuid)`);
  db.exec(`INSERT OR IGNORE INTO runs VALUES ('${RUN}')`);
  const insert = db.prepare(
    'INSERT OR IGNORE INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)',
  );
  return {
    db: db as unknown as RawMetrics['db'],
    insert: (key, step) => void insert.run(key, step / 7, 1_700_000_000_000 + step, RUN, step),
  };
}
