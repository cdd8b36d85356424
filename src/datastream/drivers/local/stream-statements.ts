import type { SqliteDatabase } from '../../../embedded/store.js';
import { DEAD_LETTER_COLUMNS, MESSAGE_COLUMNS } from './stored-message.js';

// State numbers: see stream-schema.ts. Literals, so that SQLite can use the partial indexes.
const DEAD = 'state = 3, due_at = NULL';

/** Most messages that one sweep moves: one statement over a million rows would block the event loop. */
const SWEEP = 1_000;

const READS = {
  queues: 'SELECT id, name, max_length, message_ttl, delivery_limit FROM queue',
  lastNumber:
    'SELECT coalesce(max(seq, position), 0) FROM (SELECT max(seq) AS seq, max(position) AS position FROM message)',
  addQueue: 'INSERT INTO queue (name, max_length, message_ttl, delivery_limit) VALUES (?, ?, ?, ?) RETURNING id',
  countQueue: `SELECT ${countsOf('WHERE queue_id = ?')}`,
  countAll: `SELECT ${countsOf('')}`,
  nextReady: `SELECT ${MESSAGE_COLUMNS} FROM message WHERE queue_id = ? AND state = 0
    AND (expires_at IS NULL OR expires_at > ?) ORDER BY priority DESC, position LIMIT ?`,
  expired: `SELECT seq FROM message WHERE expires_at <= ? AND expires_at IS NOT NULL AND state IN (0, 2)
    ORDER BY expires_at LIMIT ${SWEEP}`,
  due: `SELECT seq, queue_id FROM message WHERE state = 2 AND due_at <= ? ORDER BY due_at, seq LIMIT ${SWEEP}`,
  nextSweep: `SELECT min(at) FROM (
    SELECT min(due_at) AS at FROM message WHERE state = 2
    UNION ALL SELECT min(expires_at) FROM message WHERE expires_at IS NOT NULL AND state IN (0, 2))`,
  deadLetters: `SELECT ${DEAD_LETTER_COLUMNS} FROM message WHERE queue_id = ? AND state = 3 ORDER BY position LIMIT ?`,
  deadSeqs: 'SELECT seq FROM message WHERE queue_id = ? AND state = 3 ORDER BY position LIMIT ?',
  deadSeqsById: `SELECT seq FROM message WHERE queue_id = ? AND state = 3
    AND message_id IN (SELECT value FROM json_each(?)) ORDER BY position LIMIT ?`,
};

const WRITES = {
  addCounts: 'INSERT INTO queue_count (queue_id, state) VALUES (?, 0), (?, 1), (?, 2), (?, 3)',
  deleteMessages: 'DELETE FROM message WHERE queue_id = ?',
  deleteQueue: 'DELETE FROM queue WHERE id = ?',
  insert: `INSERT INTO message (seq, queue_id, priority, position, expires_at, ttl,
    message_id, encoding, body, headers, correlation_id, sent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  markUnacked: 'UPDATE message SET state = 1, attempt = ? WHERE seq = ?',
  remove: 'DELETE FROM message WHERE seq = ?',
  ack: 'DELETE FROM message WHERE seq = ? AND attempt = ? AND state = 1',
  release: 'UPDATE message SET state = 0, spared = spared + ? WHERE seq = ? AND attempt = ? AND state = 1',
  delay: 'UPDATE message SET state = 2, due_at = ? WHERE seq = ? AND attempt = ? AND state = 1',
  bury: `UPDATE message SET ${DEAD}, reason = ?, detail = ?, dead_at = ?, position = ? WHERE seq = ? AND attempt = ? AND state = 1`,
  buryLost: `UPDATE message SET ${DEAD}, reason = 'delivery-limit', dead_at = ?, detail = ? WHERE state = 1 AND queue_id = ? AND attempt >= ?`,
  recover: 'UPDATE message SET state = 0 WHERE state = 1',
  flush: 'DELETE FROM message WHERE queue_id = ? AND state = 0 AND (expires_at IS NULL OR expires_at > ?)',
  expire: `UPDATE message SET ${DEAD}, reason = 'expired', detail = 'its time to live was over', dead_at = ?, position = ? WHERE seq = ?`,
  wake: 'UPDATE message SET state = 0, due_at = NULL, position = ? WHERE seq = ?',
  redrive: `UPDATE message SET state = 0, attempt = 0, spared = 0, position = ?, expires_at = ? + ttl, reason = NULL, detail = NULL,
    dead_at = NULL WHERE seq = ?`,
  purgeDead: 'DELETE FROM message WHERE queue_id = ? AND state = 3',
};

/** What is used of a prepared statement. */
interface Statement {
  all(...values: readonly unknown[]): unknown[];
  run(...values: readonly unknown[]): { changes: number };
}

/** The SQL of the stream store, prepared once per open file. Reading statements give raw rows. */
export type StreamStatements = Record<keyof typeof READS | keyof typeof WRITES, Statement>;

/** Prepares all statements. */
export function prepareStatements(db: SqliteDatabase): StreamStatements {
  const reads = Object.entries(READS).map(([name, sql]) => [name, db.prepare(sql).raw()]);
  const writes = Object.entries(WRITES).map(([name, sql]) => [name, db.prepare(sql)]);
  return Object.fromEntries([...reads, ...writes]) as StreamStatements;
}

function countsOf(where: string): string {
  const sums = [0, 1, 2, 3].map((state) => `coalesce(sum(count) FILTER (WHERE state = ${state}), 0)`);
  return `${sums.join(', ')} FROM queue_count ${where}`;
}
