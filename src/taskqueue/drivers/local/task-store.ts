import type { RetryPolicy } from '../../../core/retry.js';
import { openStore, type EmbeddedStore } from '../../../embedded/store.js';
import type { EmbeddedStoreOptions } from '../../../embedded/store.options.js';
import type { TaskError, TaskProgress, TaskState } from '../../taskqueue.types.js';
import type { NormalizedSubmission } from '../../taskqueue.validation.js';
import type { LoggedTask } from './task-log.js';
import type { Candidate, ClaimedTask, TaskCounts, TaskRecord } from './task-records.js';
import { MIGRATIONS } from './task-schema.js';
import { prepareStatements, type TaskStatements } from './task-statements.js';

/** How long the id of a task is remembered after its result has expired, in ms. */
export const TOMBSTONE_TTL = 7 * 86_400_000;

const FINAL: readonly string[] = ['SUCCESS', 'FAILURE', 'REVOKED'];

/** All SQL of the task queue. Synchronous: when a call has returned, it is committed. */
export class TaskStore {
  readonly #store: EmbeddedStore;
  readonly #sql: TaskStatements;

  /** Opens `tasks.db`. Throws `STORE_LOCKED` or `UNAVAILABLE`. */
  constructor(
    options: EmbeddedStoreOptions,
    private readonly resultTtl: number,
  ) {
    this.#store = openStore({
      dataDir: options.dataDir,
      durability: options.durability,
      file: 'tasks.db',
      migrations: MIGRATIONS,
    });
    this.#sql = prepareStatements(this.#store.db);
  }

  get path(): string {
    return this.#store.path;
  }

  close(): void {
    this.#store.close();
  }

  /** Stores tasks, all or none; ids that exist are left as they are. */
  insert(tasks: readonly NormalizedSubmission[], defaultQueue: string, now: number): void {
    this.#atomically(() => {
      for (const task of tasks) {
        const {
          taskId,
          name,
          queue = defaultQueue,
          priority,
          due,
          expires,
          args,
          kwargs,
          headers,
          retry,
          timeLimit,
        } = task;
        const ready = due <= now ? 1 : 0;
        const policy = retry === null ? null : JSON.stringify(retry);
        this.#sql.insert.run([
          taskId,
          name,
          queue,
          priority,
          ready,
          due,
          expires,
          args,
          kwargs,
          headers,
          policy,
          timeLimit,
          now,
        ]);
      }
    });
  }

  /** The best waiting tasks of one name that have not expired, best first. */
  candidates(name: string, limit: number, fullQueues: readonly string[], now: number): Candidate[] {
    const rows = this.#sql.candidates.all([name, JSON.stringify(fullQueues), now, limit]) as Candidate[];
    return rows.map(({ seq, queue, priority }) => ({ seq, name, queue, priority }));
  }

  /** Counts the next attempt of each task and marks it as started, in one transaction. */
  claim(seqs: readonly number[], now: number): ClaimedTask[] {
    return this.#atomically(() => seqs.map((seq) => claimedTask(this.#sql.claim.get([now, seq]) as ClaimRow)));
  }

  /** Makes delayed tasks whose time has come ready, up to 1000; when there are more, {@link nextTime} is in the past. */
  promote(now: number): void {
    this.#sql.promote.run([now]);
  }

  /** Revokes tasks that have not started in time, up to 1000 as with {@link promote}; returns their ids. */
  expire(now: number): string[] {
    const reason = JSON.stringify({
      type: 'Expired',
      message: 'it had not started when it expired',
    } satisfies TaskError);
    return (this.#sql.expire.all([reason, now, now]) as { id: string }[]).map(({ id }) => id);
  }

  /** When the next delayed task is due or the next waiting one expires, in ms since 1970; `undefined`: never. */
  nextTime(): number | undefined {
    const { due, expires } = this.#sql.nextTime.get([]) as { due: number | null; expires: number | null };
    const times = [due, expires].filter((time) => time !== null);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Stores the latest progress report; `false` when the task does not run any more. */
  saveProgress(seq: number, progress: TaskProgress): boolean {
    return this.#sql.progress.run([JSON.stringify(progress), seq]).changes > 0;
  }

  succeed(seq: number, result: string, now: number): void {
    this.#sql.finish.run(['SUCCESS', result, null, now, seq]);
  }

  fail(seq: number, error: TaskError, now: number): void {
    this.#sql.finish.run(['FAILURE', null, JSON.stringify(error), now, seq]);
  }

  revoke(seq: number, message: string, now: number): void {
    this.#sql.finish.run(['REVOKED', null, JSON.stringify({ type: 'Revoked', message }), now, seq]);
  }

  /** Puts a task back to wait until `due`. @param lost whether its process or thread died */
  retry(seq: number, error: TaskError, due: number, lost: boolean, now: number): void {
    this.#sql.retry.run([due <= now ? 1 : 0, due, JSON.stringify(error), lost ? 1 : 0, seq]);
  }

  /** Revokes a waiting task or notes the request on a running one. `undefined`: no such id. */
  cancel(taskId: string, now: number): 'cancelled' | 'requested' | 'finished' | undefined {
    return this.#atomically(() => {
      const row = this.#sql.find.get([taskId]) as TaskRow | undefined;
      if (row === undefined) return undefined;
      if (FINAL.includes(row.state)) return 'finished';
      if (row.state === 'STARTED' || row.state === 'PROGRESS') {
        this.#sql.requestCancel.run([row.seq]);
        return 'requested';
      }
      this.revoke(row.seq, 'it was cancelled before it started', now);
      return 'cancelled';
    });
  }

  find(taskId: string, now = Date.now()): TaskRecord | undefined {
    const row = this.#sql.find.get([taskId]) as TaskRow | undefined;
    return row === undefined ? undefined : taskRecord(row, now - this.resultTtl);
  }

  counts(): TaskCounts {
    const { waiting, delayed, failed } = this.#sql.counts.get([]) as TaskCounts;
    return { waiting, delayed, failed };
  }

  /**
   * Deals with tasks that a process left as started when it died: they wait again, up to `attemptLimit` such deaths.
   * Returns those that wait and those that have failed.
   */
  recover(attemptLimit: number, now: number): { error: TaskError; lost: LoggedTask[]; failed: LoggedTask[] } {
    const error = { type: 'WorkerLost', message: 'the process that ran the task ended before the task did' };
    const text = JSON.stringify(error);
    return this.#atomically(() => {
      this.#sql.recoverCancelled.run([JSON.stringify({ type: 'Revoked', message: 'it was cancelled' }), now]);
      const failed = this.#sql.recoverFailed.all([text, now, attemptLimit]) as LoggedTask[];
      const lost = this.#sql.recover.all([now, text]) as LoggedTask[];
      return { error, lost, failed };
    });
  }

  /**
   * Removes some of the results past their time, and forgets some of the tasks past {@link TOMBSTONE_TTL}. Returns
   * whether there may be more: one statement over a million rows would block the event loop.
   */
  cleanUp(now: number): boolean {
    const expiry = now - this.resultTtl;
    const removed = this.#sql.expireResults.run([expiry]).changes;
    const forgotten = this.#sql.forget.run([expiry - TOMBSTONE_TTL]).changes;
    return removed + forgotten > 0;
  }

  #atomically<T>(work: () => T): T {
    const { db } = this.#store;
    if (db.inTransaction) return work();
    db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      db.exec('COMMIT');
      return result;
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
}

interface ClaimRow {
  seq: number;
  id: string;
  name: string;
  queue: string;
  args: string;
  kwargs: string;
  headers: string;
  attempt: number;
  lost: number;
  retry: string | null;
  time_limit: number | null;
}

interface TaskRow {
  seq: number;
  id: string;
  name: string;
  state: TaskState;
  attempt: number;
  progress: string | null;
  error: string | null;
  result: string | null;
  expired: number;
  submitted_at: number;
  started_at: number | null;
  finished_at: number | null;
}

function claimedTask(row: ClaimRow): ClaimedTask {
  return {
    seq: row.seq,
    taskId: row.id,
    name: row.name,
    queue: row.queue,
    args: JSON.parse(row.args) as ClaimedTask['args'],
    kwargs: JSON.parse(row.kwargs) as ClaimedTask['kwargs'],
    headers: JSON.parse(row.headers) as ClaimedTask['headers'],
    attempt: row.attempt,
    lost: row.lost,
    retry: row.retry === null ? null : (JSON.parse(row.retry) as RetryPolicy),
    timeLimit: row.time_limit,
  };
}

function taskRecord(row: TaskRow, expiry: number): TaskRecord {
  // The clean-up comes now and then; the promised time holds to the millisecond.
  const expired = row.expired === 1 || (row.finished_at !== null && row.finished_at <= expiry);
  return {
    taskId: row.id,
    name: row.name,
    state: row.state,
    attempt: row.attempt,
    progress: row.progress === null || expired ? null : (JSON.parse(row.progress) as TaskProgress),
    error: row.error === null || expired ? null : (JSON.parse(row.error) as TaskError),
    result: expired ? null : row.result,
    expired,
    submittedAt: row.submitted_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}
