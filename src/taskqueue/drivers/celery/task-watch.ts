import { abortError, withDeadline } from '../../../core/deadline.js';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { TaskProgress } from '../../taskqueue.types.js';
import type { CelerySession } from './celery.session.js';
import { isFinal, type CeleryRecord } from './celery-record.js';
import type { StoredTask } from './results/result-backend.js';
import { progressOf } from './results/result-meta.js';

/** Pause before a look that failed is repeated, in ms. */
const OUTAGE_PAUSE = 250;
/** Most reports that wait to be read; of more the oldest are dropped. */
const MOST_REPORTS = 1_000;

/** Follows one task: subscribe first, then read, so that nothing in between is missed. An outage makes it wait, not fail. */
export class TaskWatch {
  /** Reports that came since they were taken last. */
  reports: TaskProgress[] = [];
  /** Why the last look failed; `undefined` when it did not. */
  fault: HubError | undefined;
  #stored: StoredTask = {};
  #stale = true;
  #changed = false;
  #wake = (): void => undefined;
  #stop: (() => void) | undefined;
  #ended = false;

  constructor(
    private readonly session: CelerySession,
    private readonly taskId: string,
    private readonly source: HubErrorOptions,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /**
   * The task as it is; `undefined` when that cannot be read, see {@link fault}.
   * @param fresh read it, although what was heard tells as much
   */
  async look(fresh = false): Promise<CeleryRecord | undefined> {
    this.#changed = false;
    try {
      if (this.#stop === undefined) await this.#follow();
      if (fresh || (this.#stale && !isFinal(this.#stored.meta))) await this.#read();
      this.fault = undefined;
      return this.session.record(this.taskId, this.#stored);
    } catch (error) {
      this.#stale = true;
      if (!HubError.is(error, 'UNAVAILABLE', 'TIMEOUT')) throw error;
      this.fault = error;
      return undefined;
    }
  }

  /** Resolves at a change, after `until` ms, or when a failed look can be repeated. */
  async changed(until?: number): Promise<void> {
    if (!this.#changed) {
      const { session, signal } = this;
      let wake = (): void => undefined;
      const woken = new Promise<void>((resolve) => (wake = resolve));
      this.#wake = wake;
      const stop = (): void => wake();
      signal?.addEventListener('abort', stop, { once: true });
      session.onClosing(wake);
      if (signal?.aborted === true || session.closing) wake();
      const pause = this.fault === undefined ? until : Math.min(OUTAGE_PAUSE, until ?? Infinity);
      try {
        if (pause === undefined) await woken;
        else await withDeadline(woken, Math.max(0, pause)).catch(() => undefined);
      } finally {
        signal?.removeEventListener('abort', stop);
        session.offClosing(wake);
      }
    }
    if (this.signal?.aborted === true) throw abortError(this.signal, this.source);
    if (this.session.closing) throw new HubError('CLOSED', 'the plugin was shut down while the task ran.', this.source);
  }

  /** Follows no longer. */
  end(): void {
    this.#ended = true;
    this.#stop?.();
  }

  async #follow(): Promise<void> {
    const stop = await this.session.results.follow(this.taskId, (meta) => this.#heard(meta));
    // Whoever waited may have given up meanwhile.
    if (this.#ended) stop();
    else this.#stop = stop;
  }

  async #read(): Promise<void> {
    this.#stale = false;
    const stored = await this.session.results.read(this.taskId);
    // What was heard meanwhile is newer.
    this.#stored = isFinal(this.#stored.meta) ? { ...stored, meta: this.#stored.meta } : stored;
  }

  #heard(meta: StoredTask['meta']): void {
    if (meta === undefined) this.#stale = true;
    else if (!isFinal(this.#stored.meta) || meta.state === 'SUCCESS') {
      this.#stored = { ...this.#stored, meta };
      const report = progressOf(meta);
      if (report !== null && this.reports.push(report) > MOST_REPORTS) this.reports.shift();
    }
    this.#changed = true;
    this.#wake();
  }
}

/** Whether nothing more will come of a task. */
export function isOver({ finishedAt, expired }: CeleryRecord): boolean {
  return finishedAt !== null || expired;
}

/** The reports of a task until it ends, the latest one before first. */
export async function* followProgress(watch: TaskWatch): AsyncGenerator<TaskProgress> {
  let seen: TaskProgress | undefined;
  try {
    for (;;) {
      let record = await watch.look();
      // The last report may have been missed; it is kept beside the result.
      if (record !== undefined && isOver(record)) record = (await watch.look(true)) ?? record;
      const stored = record?.progress ?? null;
      const reports = watch.reports.splice(0);
      if (stored !== null && (reports.at(-1)?.sequence ?? 0) < stored.sequence) reports.push(stored);
      for (const report of reports) {
        const next = numbered(report, seen);
        if (next === undefined) continue;
        seen = next;
        yield next;
      }
      if (record !== undefined && isOver(record)) return;
      if (watch.reports.length === 0) await watch.changed();
    }
  } finally {
    watch.end();
  }
}

/** Reports of workers that do not number them are numbered as they come; `undefined` for one that was seen. */
function numbered(report: TaskProgress, seen: TaskProgress | undefined): TaskProgress | undefined {
  if (seen === undefined || report.attempt > seen.attempt) return report;
  if (report.attempt < seen.attempt) return undefined;
  if (report.sequence > seen.sequence) return report;
  const isOther =
    report.sequence === 1 && seen.sequence >= 1 && JSON.stringify(report.data) !== JSON.stringify(seen.data);
  return isOther ? { ...report, sequence: seen.sequence + 1 } : undefined;
}
