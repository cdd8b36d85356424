import { setTimeout as pause } from 'node:timers/promises';
import type { TaskQueuePlugin } from '../../../src/taskqueue/index.js';
import { tally, type Tally } from '../../support/tally.js';
import { TaskLoad, type LoadTask } from '../../support/task-load.js';
import { ExecutionTail } from './execution-tail.js';
import { TimedResults } from './timed-results.js';

/** Share of the tasks that ack early. */
const EARLY = 0.1;
/** Timeout of each `getResult` of a task that acks late, in ms; it is called again until the task has ended. */
const LATE_CALL_MS = 5_000;
/** Most time from the acknowledgement of a task that acks late to its end, in ms. */
const LATE_TASK_MS = 90_000;
/** Timeout of the `getResult` of a task that acks early, in ms. */
const EARLY_CALL_MS = 60_000;

/** The load of the Celery chaos tests: tasks that ack late, and some that ack early. */
export class ChaosLoad extends TaskLoad {
  readonly results: TimedResults;
  /** What became of the acknowledged ones that ack late and early: `right`, `wrong`, `flushed`, or an error's code. */
  readonly ends: Record<'late' | 'early', Tally> = { late: new Map(), early: new Map() };
  /** Ids whose result was flushed before it was seen. */
  readonly flushed: string[] = [];
  /** Ids whose result was seen, the latest last. */
  readonly seen: string[] = [];
  readonly #flushes: number[] = [];
  /** Tasks that nobody asks for while results are about to be flushed. */
  readonly #held = new Set<string>();
  readonly #executions: ExecutionTail;
  #hold: Promise<void> = Promise.resolve();

  /** @param folder of the ledger */
  constructor(plugin: TaskQueuePlugin, folder: string, random: () => number) {
    super(plugin, folder, random, { batch: 30, single: 6, mostWaiting: 200 });
    this.results = new TimedResults(plugin);
    this.#executions = new ExecutionTail(folder);
  }

  /** Has nobody ask for results until `work` is over, in which all that is stored of them is removed: of at least `count`. */
  async flushing(count: number, ms: number, work: () => Promise<unknown>): Promise<void> {
    let release = (): void => undefined;
    this.#hold = new Promise<void>((resolve) => (release = resolve));
    this.#held.clear();
    const deadline = Date.now() + ms;
    try {
      for (;;) {
        const ended = [...this.#held].filter((id) => this.#executions.endedBefore(id, Date.now()));
        if (ended.length >= count) break;
        if (Date.now() > deadline) throw new Error(`only ${ended.length} of ${count} tasks ended in ${ms} ms`);
        await pause(200);
      }
      await work();
      this.#flushes.push(Date.now());
    } finally {
      release();
    }
  }

  protected task(number: number): LoadTask {
    const kind = this.random() < EARLY ? 'early' : 'late';
    return { name: `chaos.${kind}`, taskId: `${kind}-${number}`, args: [number] };
  }

  protected async ended({ taskId, args }: LoadTask): Promise<boolean> {
    const kind = taskId.startsWith('late') ? 'late' : 'early';
    const acknowledged = Date.now();
    this.#held.add(taskId);
    await this.#hold;
    for (;;) {
      const { code, value } = await this.results.get(taskId, kind === 'late' ? LATE_CALL_MS : EARLY_CALL_MS);
      if (code === undefined) {
        tally(this.ends[kind], value === Number(args[0]) * 2 ? 'right' : 'wrong');
        this.seen.push(taskId);
        return true;
      }
      const flush = this.#flushes.find((at) => at >= acknowledged);
      const isGone = code === 'TIMEOUT' || code === 'RESULT_EXPIRED';
      if (isGone && flush !== undefined && this.#executions.endedBefore(taskId, flush)) {
        this.flushed.push(taskId);
        tally(this.ends[kind], 'flushed');
        return false;
      }
      const again = kind === 'late' && code === 'TIMEOUT' && Date.now() - acknowledged < LATE_TASK_MS;
      if (again) continue;
      tally(this.ends[kind], code);
      return false;
    }
  }
}
