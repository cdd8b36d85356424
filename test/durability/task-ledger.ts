import type { TaskQueuePlugin, TaskStatus } from '../../src/taskqueue/index.js';
import type { LedgerLine } from './ledger.js';

/** Slots of the killed queue: so many tasks can have been started without having reported it. */
const SLOTS = 11;

/** Whether worker threads run tasks in that round, too: not in each, because they take seconds to start on sources. */
export const hasThreads = (round: number): boolean => round % 4 === 1;

/** What is known of one task by what its submitter, its handler and its waiters were told. */
interface KnownTask {
  /** `later` never runs; `hang` and `thread.hang` end only after the restart. */
  name: string;
  sum: number;
  submitted: boolean;
  /** The last attempt that is known to have started. */
  ran: number;
  /** Greatest progress that was acknowledged. */
  progress: number;
  result?: number | string;
  cancel?: 'asked' | 'cancelled';
  /** What the reopened store said of it. */
  stored?: TaskStatus;
  /** Its end was checked. */
  over: boolean;
}

/** What is known of every task. */
export class TaskLedger {
  readonly #tasks = new Map<string, KnownTask>();
  acknowledged = 0;
  /** Tasks that ran again because a kill had interrupted them. */
  rerun = 0;

  /** Takes in what a killed process reported. */
  add(lines: readonly LedgerLine[]): void {
    for (const [event, id = '', value = '', sum = 0] of lines) {
      const taskId = String(id);
      if (event === 'submitting') {
        const counts = { sum: Number(sum), ran: 0, progress: -1 };
        this.#tasks.set(taskId, { name: String(value), ...counts, submitted: false, over: false });
        continue;
      }
      const task = this.#tasks.get(taskId);
      if (task === undefined) throw new Error(`${taskId} was never submitted`);
      if (event === 'cancelling') task.cancel = 'asked';
      else this.acknowledged += 1;
      if (event === 'submitted') task.submitted = true;
      if (event === 'ran') {
        if (task.over) throw new Error(`${taskId} had ended and ran again`);
        task.ran = Number(value);
      }
      if (event === 'progress') task.progress = Number(value);
      if (event === 'result') task.result = value;
      if (event === 'cancelled') task.cancel = 'cancelled';
    }
  }

  /** Compares with what the reopened store says before anybody runs its tasks. */
  async checkStored(queue: TaskQueuePlugin): Promise<string[]> {
    const faults: string[] = [];
    let unreported = 0;
    for (const [taskId, task] of this.#tasks) {
      task.stored = await queue.getStatus(taskId);
      if (task.over) continue;
      if (task.stored.attempt > task.ran) unreported += 1;
      const fault = storedFault(task, task.stored);
      if (fault !== undefined) faults.push(`${taskId} (${task.name}) ${fault}: ${JSON.stringify(task.stored)}`);
    }
    if (unreported > SLOTS) faults.push(`${unreported} tasks were started and not run`);
    return faults;
  }

  /**
   * Waits until all tasks have ended and compares with what is known.
   * @param ran the attempts that ran on the event loop since the restart, by task id
   */
  async checkEnds(queue: TaskQueuePlugin, ran: ReadonlyMap<string, readonly number[]>): Promise<string[]> {
    const faults: string[] = [];
    for (const [taskId, task] of this.#tasks) {
      const fault = await this.#endFault(queue, taskId, task, ran);
      if (fault !== undefined) faults.push(`${taskId} (${task.name}) ${fault}; it was ${JSON.stringify(task.stored)}`);
    }
    for (const taskId of ran.keys()) if (!this.#tasks.has(taskId)) faults.push(`${taskId} was never submitted`);
    return faults;
  }

  async #endFault(
    queue: TaskQueuePlugin,
    taskId: string,
    task: KnownTask,
    ran: ReadonlyMap<string, readonly number[]>,
  ): Promise<string | undefined> {
    const { stored, name } = task;
    if (task.over || name === 'later') return ran.has(taskId) ? 'may not run' : undefined;
    if (stored === undefined || stored.name === null) return undefined;
    const result = await queue.getResult<number | string>(taskId, { timeout: 30_000 });
    task.over = true;
    if (result !== (name.endsWith('hang') ? 'ended' : task.sum)) return `results in ${result}`;
    const attempts = ran.get(taskId) ?? [];
    const { attempt } = await queue.getStatus(taskId);
    const expected = stored.state === 'SUCCESS' ? [] : [stored.attempt + 1];
    if (attempt !== (expected[0] ?? stored.attempt)) return `ended with attempt ${attempt}`;
    // Threads do not tell which attempts they ran; the count of the store is theirs.
    if (!name.startsWith('thread.') && String(attempts) !== String(expected)) return `ran as ${attempts.join(', ')}`;
    if (attempt > 1) this.rerun += 1;
    return undefined;
  }
}

function storedFault(task: KnownTask, { name, state, attempt, progress }: TaskStatus): string | undefined {
  if (name === null) return task.submitted ? 'is lost' : undefined;
  if (task.cancel === 'cancelled') return state === 'REVOKED' ? undefined : 'was cancelled';
  if (task.cancel === 'asked' && state === 'REVOKED') return undefined;
  if (task.result !== undefined) return state === 'SUCCESS' ? undefined : 'had a result';
  if (Number(progress?.data ?? -1) < task.progress) return `had reported ${task.progress}`;
  if (attempt < task.ran) return `had run as attempt ${task.ran}`;
  if (attempt > task.ran + 1) return 'counts attempts that never were';
  if (state === 'SUCCESS') return task.name.endsWith('hang') ? 'cannot have ended' : undefined;
  // What was running has to be marked for another attempt, and what was not has to wait untouched.
  return state === (attempt === 0 ? 'PENDING' : 'RETRY') ? undefined : 'should wait';
}
