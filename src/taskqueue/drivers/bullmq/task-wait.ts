import { abortError, MAX_TIMER_MS } from '../../../core/deadline.js';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { JsonValue } from '../../../core/json.js';
import { FINAL_TASK_STATES, type TaskProgress } from '../../taskqueue.types.js';
import type { TaskChange } from '../../runner/task-waiters.js';
import type { BullMQSession } from './bullmq.session.js';
import type { TaskRecord } from './job-record.js';

/** Pause before a look that failed is repeated, in ms. */
const OUTAGE_PAUSE = 250;

/** Waits for changes of one task; an outage of Redis makes it wait longer, not fail. */
export class TaskWait {
  /** Why the last look failed; `undefined` when it did not. */
  fault: HubError | undefined;
  #change: TaskChange | undefined = 'progress';
  #wake = (): void => undefined;
  readonly #stop: () => void;

  /** @param scope changes to wait for: all, or those that may be its end */
  constructor(
    private readonly session: BullMQSession,
    private readonly taskId: string,
    private readonly source: HubErrorOptions,
    private readonly signal: AbortSignal | undefined,
    scope: 'all' | 'end',
  ) {
    this.#stop = session.follower.listen(taskId, (change) => {
      if (change === 'progress' && scope === 'end') return;
      // Nothing comes after `closed`, and it must not be hidden by what came before.
      if (this.#change !== 'closed') this.#change = change;
      this.#wake();
    });
  }

  /** Whether the end of the task is still to come, and will be heard: then nothing has to be read before it. */
  willHear(): boolean {
    if (this.#change === 'closed' || !this.session.store.isQuiet(this.taskId)) return false;
    this.#change = undefined;
    return true;
  }

  /** The result that an event has told, once. */
  takeResult(): { value: JsonValue } | undefined {
    return this.session.follower.takeResult(this.taskId);
  }

  /**
   * The task as it is; follows the events of its queue first, so that no change after it is missed.
   * @param what `end`: as {@link JobStore.findEnd}
   */
  async look(what: 'all' | 'end'): Promise<TaskRecord | undefined> {
    const { store, follower } = this.session;
    this.#change = this.#change === 'closed' ? 'closed' : undefined;
    try {
      const queue = store.queueOf(this.taskId);
      if (queue !== undefined) await follower.follow(queue);
      const record = what === 'all' ? await store.find(this.taskId) : await store.findEnd(this.taskId);
      this.fault = undefined;
      if (queue !== undefined || record === undefined) return record;
      await follower.follow(record.queue);
      return await store.find(this.taskId);
    } catch (error) {
      if (!HubError.is(error, 'UNAVAILABLE', 'TIMEOUT')) throw error;
      this.fault = error;
      return undefined;
    }
  }

  /** Resolves at a change, at the task's expiry by the record, or when a failed look can be repeated. */
  async changed(until: number | undefined): Promise<void> {
    if (this.#change !== undefined) return this.#check();
    const pause = this.fault === undefined ? until : Math.min(OUTAGE_PAUSE, until ?? Infinity);
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.signal?.addEventListener('abort', this.#wake, { once: true });
      if (this.signal?.aborted === true) resolve();
      if (pause !== undefined) timer = setTimeout(resolve, Math.min(Math.max(0, pause), MAX_TIMER_MS));
    });
    clearTimeout(timer);
    this.signal?.removeEventListener('abort', this.#wake);
    this.#check();
  }

  /** Stops listening. */
  end(): void {
    this.#stop();
  }

  #check(): void {
    if (this.signal?.aborted === true) throw abortError(this.signal, this.source);
    if (this.#change !== 'closed') return;
    throw new HubError('CLOSED', 'the plugin was shut down while the task ran.', this.source);
  }
}

/** Whether a task has ended. */
export function isFinal(record: TaskRecord | undefined): boolean {
  return record !== undefined && FINAL_TASK_STATES.includes(record.state);
}

/** The reports of a task until it ends. `NOT_FOUND` when nobody knows its id. */
export async function* followProgress(
  session: BullMQSession,
  taskId: string,
  source: HubErrorOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<TaskProgress> {
  const wait = new TaskWait(session, taskId, source, signal, 'all');
  try {
    let seen: TaskProgress | null = null;
    let known = false;
    for (;;) {
      if (signal?.aborted === true) throw abortError(signal, source);
      const record = await wait.look('all');
      const latest = record?.progress ?? null;
      if (latest !== null && isNew(latest, seen)) {
        seen = renumbered(latest, seen);
        known = true;
        yield seen;
        continue;
      }
      if (record === undefined && wait.fault === undefined) {
        // One that was here has been removed, which ends it.
        if (known || session.store.knew(taskId)) return;
        throw new HubError('NOT_FOUND', `no task of the id ${taskId} is known.`, source);
      }
      if (isFinal(record)) return;
      known ||= record !== undefined;
      await wait.changed(undefined);
    }
  } finally {
    wait.end();
  }
}

function isNew(latest: TaskProgress, seen: TaskProgress | null): boolean {
  if (seen === null || latest.attempt !== seen.attempt) return true;
  if (latest.sequence > seen.sequence) return true;
  return latest.sequence === 1 && seen.sequence > 0 && !sameData(latest, seen);
}

/** Reports of workers that do not number them are numbered as they come. */
function renumbered(latest: TaskProgress, seen: TaskProgress | null): TaskProgress {
  if (seen === null || latest.attempt !== seen.attempt || latest.sequence > seen.sequence) return latest;
  return { ...latest, sequence: seen.sequence + 1 };
}

function sameData(one: TaskProgress, other: TaskProgress): boolean {
  return JSON.stringify(one.data) === JSON.stringify(other.data);
}
