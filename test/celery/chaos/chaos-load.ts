import { setTimeout as pause } from 'node:timers/promises';
import { HubError } from '../../../src/core/errors.js';
import type { TaskQueuePlugin } from '../../../src/taskqueue/index.js';
import { LedgerFile } from '../../bullmq/chaos/ledger-file.js';
import { ExecutionTail } from './execution-tail.js';
import { TimedResults } from './timed-results.js';

/** Tasks of one batch, and how many of them are submitted singly instead. */
const BATCH = 30;
const SINGLE = 6;
/** From one batch to the next, in ms. */
const PACE_MS = 100;
/** From so many tasks on that were acknowledged and have no result yet, they are submitted one at a time. */
const MANY_WAITING = 200;
/** Share of the tasks that ack early. */
const EARLY = 0.1;
/** Timeout of each `getResult` of a task that acks late, in ms; it is called again until the task has ended. */
const LATE_CALL_MS = 5_000;
/** Most time from the acknowledgement of a task that acks late to its end, in ms. */
const LATE_TASK_MS = 90_000;
/** Timeout of the `getResult` of a task that acks early, in ms. */
const EARLY_CALL_MS = 60_000;

interface ChaosTask {
  name: string;
  taskId: string;
  args: number[];
}

/** Submits tasks without pause, notes in the ledger what was acknowledged, and waits for each result. */
export class ChaosLoad {
  readonly results: TimedResults;
  /** How often submits were rejected, by code. */
  readonly rejected = new Map<string, number>();
  acknowledged = 0;
  /** The submits whose acknowledgement and whose result came: the latest one's begin, in ms since 1970. */
  readonly served = { acknowledged: 0, ended: 0 };
  /** What became of the acknowledged ones that ack late and early: `right`, `wrong`, `flushed`, or an error's code. */
  readonly ends = { late: new Map<string, number>(), early: new Map<string, number>() };
  /** Ids whose result was flushed before it was seen. */
  readonly flushed: string[] = [];
  /** Ids whose result was seen, the latest last. */
  readonly seen: string[] = [];
  readonly #ledger: LedgerFile;
  readonly #waiting = new Set<Promise<void>>();
  readonly #flushes: number[] = [];
  /** Tasks that nobody asks for while results are about to be flushed. */
  readonly #held = new Set<string>();
  readonly #executions: ExecutionTail;
  #hold: Promise<void> = Promise.resolve();
  #next = 0;
  #over = false;
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly plugin: TaskQueuePlugin,
    folder: string,
    private readonly random: () => number,
  ) {
    this.results = new TimedResults(plugin);
    this.#ledger = new LedgerFile(folder, 'submitter');
    this.#executions = new ExecutionTail(folder);
  }

  /** Submits from now on. */
  start(): void {
    this.#running = this.#run();
    // Told by whoever waits for it.
    this.#running.catch(() => undefined);
  }

  /** Waits until so many are acknowledged. */
  async reached(count: number, ms: number): Promise<void> {
    await this.#until(() => this.acknowledged >= count, `${count} are acknowledged`, ms);
  }

  /** Waits until a submit that began after `since` (ms since 1970) is acknowledged, or its task has ended as well. */
  async back(what: 'acknowledged' | 'ended', since: number, ms: number, after: string): Promise<number> {
    await this.#until(() => this.served[what] > since, `a task that was submitted after "${after}" is ${what}`, ms);
    return Date.now();
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

  /** Submits nothing more, and waits for all results. */
  async end(): Promise<void> {
    this.#over = true;
    await this.#running;
    await Promise.all(this.#waiting);
    this.#ledger.close();
  }

  async #until(condition: () => boolean, what: string, ms: number): Promise<void> {
    const deadline = Date.now() + ms;
    while (!condition()) {
      if (Date.now() > deadline) {
        const { acknowledged } = this;
        throw new Error(`not within ${ms} ms: ${what}; ${acknowledged} acknowledged, ${this.#waiting.size} waited for`);
      }
      // It ends only by what went wrong.
      await Promise.race([this.#running.then(() => pause(20)), pause(20)]);
    }
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      const from = performance.now();
      if (this.#waiting.size < MANY_WAITING) {
        const batch = Array.from({ length: BATCH }, () => this.#task());
        const single = batch.splice(0, SINGLE);
        await Promise.all([this.#submit(batch), ...single.map((task) => this.#submit([task]))]);
      } else {
        // Workers are slow or away; that submits go on has to be seen all the same.
        await this.#submit([this.#task()]);
      }
      await pause(Math.max(1, PACE_MS - (performance.now() - from)));
    }
  }

  #task(): ChaosTask {
    const number = (this.#next += 1);
    const kind = this.random() < EARLY ? 'early' : 'late';
    return { name: `chaos.${kind}`, taskId: `${kind}-${number}`, args: [number] };
  }

  /** Submits with the same ids until it is acknowledged, as callers do that have to. */
  async #submit(tasks: readonly ChaosTask[]): Promise<void> {
    let began: number;
    for (;;) {
      began = Date.now();
      for (const { taskId } of tasks) this.#ledger.write('submitting', taskId, began);
      try {
        const [first] = tasks;
        if (tasks.length > 1) await this.plugin.submitTasks(tasks);
        else if (first !== undefined) await this.plugin.submitTask(first.name, first);
        break;
      } catch (error) {
        const code = HubError.is(error) ? error.code : String(error);
        count(this.rejected, code);
        if (code !== 'UNAVAILABLE' && code !== 'TIMEOUT') throw error;
        await pause(PACE_MS);
      }
    }
    const now = Date.now();
    for (const task of tasks) {
      this.#ledger.write('acknowledged', task.taskId, now);
      const waiting: Promise<void> = this.#wait(task, began).finally(() => this.#waiting.delete(waiting));
      this.#waiting.add(waiting);
    }
    this.acknowledged += tasks.length;
    this.served.acknowledged = Math.max(this.served.acknowledged, began);
  }

  async #wait({ taskId, args }: ChaosTask, submitted: number): Promise<void> {
    const kind = taskId.startsWith('late') ? 'late' : 'early';
    const acknowledged = Date.now();
    this.#held.add(taskId);
    await this.#hold;
    for (;;) {
      const { code, value } = await this.results.get(taskId, kind === 'late' ? LATE_CALL_MS : EARLY_CALL_MS);
      if (code === undefined) {
        count(this.ends[kind], value === Number(args[0]) * 2 ? 'right' : 'wrong');
        this.served.ended = Math.max(this.served.ended, submitted);
        this.seen.push(taskId);
        return;
      }
      const flush = this.#flushes.find((at) => at >= acknowledged);
      const isGone = code === 'TIMEOUT' || code === 'RESULT_EXPIRED';
      if (isGone && flush !== undefined && this.#executions.endedBefore(taskId, flush)) {
        this.flushed.push(taskId);
        count(this.ends[kind], 'flushed');
        return;
      }
      const again = kind === 'late' && code === 'TIMEOUT' && Date.now() - acknowledged < LATE_TASK_MS;
      if (!again) return count(this.ends[kind], code);
    }
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
