import type { SqliteDatabase } from '../../../embedded/store.js';

/** Most tasks that one statement moves: one over a million rows would block the event loop. */
const SOME = 1_000;

type Statement = ReturnType<SqliteDatabase['prepare']>;

const SQL = {
  insert: `INSERT INTO tasks (id, name, queue, priority, state, ready, due, expires, args, kwargs, headers, retry,
      time_limit, submitted_at)
    VALUES (?, ?, ?, ?, 'PENDING', ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
  candidates: `SELECT seq, queue, priority FROM tasks
    WHERE ready = 1 AND name = ? AND queue NOT IN (SELECT value FROM json_each(?))
      AND (expires IS NULL OR expires > ? OR state <> 'PENDING')
    ORDER BY priority DESC, seq LIMIT ?`,
  claim: `UPDATE tasks SET state = 'STARTED', ready = 0, attempt = attempt + 1, started_at = ? WHERE seq = ?
    RETURNING seq, id, name, queue, args, kwargs, headers, attempt, lost, retry, time_limit`,
  promote: `UPDATE tasks SET ready = 1 WHERE seq IN (SELECT seq FROM tasks
      WHERE ready = 0 AND state IN ('PENDING', 'RETRY') AND due <= ? ORDER BY due LIMIT ${SOME})`,
  expire: `UPDATE tasks SET state = 'REVOKED', ready = 0, error = ?, finished_at = ?
    WHERE seq IN (SELECT seq FROM tasks
      WHERE state = 'PENDING' AND expires IS NOT NULL AND expires <= ? ORDER BY expires LIMIT ${SOME}) RETURNING id`,
  nextTime: `SELECT (SELECT min(due) FROM tasks WHERE ready = 0 AND state IN ('PENDING', 'RETRY')) AS due,
    (SELECT min(expires) FROM tasks WHERE state = 'PENDING' AND expires IS NOT NULL) AS expires`,
  progress: `UPDATE tasks SET state = 'PROGRESS', progress = ? WHERE seq = ? AND state IN ('STARTED', 'PROGRESS')`,
  finish: `UPDATE tasks SET state = ?, ready = 0, result = ?, error = ?, finished_at = ? WHERE seq = ?`,
  retry: `UPDATE tasks SET state = 'RETRY', ready = ?, due = ?, error = ?, lost = lost + ? WHERE seq = ?`,
  requestCancel: `UPDATE tasks SET cancel = 1 WHERE seq = ?`,
  find: `SELECT seq, id, name, state, attempt, progress, error, result, expired, submitted_at, started_at, finished_at
    FROM tasks WHERE id = ?`,
  counts: `SELECT (SELECT count(*) FROM tasks WHERE ready = 1) AS waiting,
    (SELECT count(*) FROM tasks WHERE ready = 0 AND state IN ('PENDING', 'RETRY')) AS delayed,
    (SELECT count(*) FROM tasks WHERE state = 'FAILURE') AS failed`,
  recoverCancelled: `UPDATE tasks SET state = 'REVOKED', error = ?, finished_at = ?
    WHERE state IN ('STARTED', 'PROGRESS') AND cancel = 1`,
  recoverFailed: `UPDATE tasks SET state = 'FAILURE', error = ?, finished_at = ?, lost = lost + 1
    WHERE state IN ('STARTED', 'PROGRESS') AND lost + 1 >= ? RETURNING name, id AS taskId, attempt`,
  recover: `UPDATE tasks SET state = 'RETRY', ready = 1, due = ?, error = ?, lost = lost + 1
    WHERE state IN ('STARTED', 'PROGRESS') RETURNING name, id AS taskId, attempt`,
  expireResults: `UPDATE tasks SET expired = 1, args = '[]', kwargs = '{}', headers = '{}', progress = NULL,
      error = NULL, result = NULL
    WHERE seq IN (SELECT seq FROM tasks WHERE finished_at IS NOT NULL AND expired = 0 AND finished_at <= ? LIMIT ${SOME})`,
  forget: `DELETE FROM tasks
    WHERE seq IN (SELECT seq FROM tasks WHERE finished_at IS NOT NULL AND expired = 1 AND finished_at <= ? LIMIT ${SOME})`,
} as const;

/** The prepared statements of one open database. @internal */
export type TaskStatements = Record<keyof typeof SQL, Statement>;

/** Prepares every statement once. @internal */
export function prepareStatements(db: SqliteDatabase): TaskStatements {
  return Object.fromEntries(Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)])) as TaskStatements;
}
