/**
 * Schema of tasks.db. A waiting task (PENDING or RETRY) is `ready` once its due time has come; everything that is
 * ordered or searched has a partial index, so that finished tasks cost nothing.
 * `lost` counts the attempts whose process or thread died; `cancel` is a cancel request for a running task; `expired`
 * marks a task whose result was removed; `error` of a REVOKED task holds the reason.
 * @internal
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE tasks (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     name TEXT NOT NULL,
     queue TEXT NOT NULL,
     priority INTEGER NOT NULL,
     state TEXT NOT NULL,
     ready INTEGER NOT NULL,
     due INTEGER NOT NULL,
     expires INTEGER,
     args TEXT NOT NULL,
     kwargs TEXT NOT NULL,
     headers TEXT NOT NULL,
     retry TEXT,
     time_limit REAL,
     attempt INTEGER NOT NULL DEFAULT 0,
     lost INTEGER NOT NULL DEFAULT 0,
     cancel INTEGER NOT NULL DEFAULT 0,
     expired INTEGER NOT NULL DEFAULT 0,
     progress TEXT,
     error TEXT,
     result TEXT,
     submitted_at INTEGER NOT NULL,
     started_at INTEGER,
     finished_at INTEGER
   );
   CREATE INDEX tasks_ready ON tasks (name, priority DESC, seq) WHERE ready = 1;
   CREATE INDEX tasks_delayed ON tasks (due) WHERE ready = 0 AND state IN ('PENDING', 'RETRY');
   CREATE INDEX tasks_expiring ON tasks (expires) WHERE state = 'PENDING' AND expires IS NOT NULL;
   CREATE INDEX tasks_running ON tasks (seq) WHERE state IN ('STARTED', 'PROGRESS');
   CREATE INDEX tasks_failed ON tasks (seq) WHERE state = 'FAILURE';
   CREATE INDEX tasks_finished ON tasks (expired, finished_at) WHERE finished_at IS NOT NULL`,
];
