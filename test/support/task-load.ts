import { setTimeout as pause } from 'node:timers/promises';
import { HubError } from '../../src/core/errors.js';
import type { TaskQueuePlugin } from '../../src/taskqueue/index.js';
import { LedgerFile } from './ledger-file.js';
import { tally, type Tally } from './tally.js';

/** From one batch to the next, and from a submit that was rejected to the next one of the same tasks, in ms. */
const PACE_MS = 100;
/** Codes of submits that faults explain. */
const EXPLAINED = ['UNAVAILABLE', 'TIMEOUT'];

/** A task of a {@link TaskLoad}. */
export interface LoadTask {
  name: string;
  taskId: string;
  args: number[];
}

/** How much a {@link TaskLoad} submits. */
export interface TaskLoadOptions {
  /** Tasks that are submitted at once. */
  batch: number;
  /** How many of them are submitted singly instead. */
  single: number;
  /** From so many tasks on that have no result yet, they are submitted one at a time. Default: never. */
  mostWaiting?: number;
  /** Share of the rejected submits that are not tried again, 0 to 1; from {@link TaskLoad.end} on none is. Default: all are. */
  givesUp?: number;
}

/**
 * Submits tasks without pause, notes in the ledger what was acknowledged, and waits for each result. A submit that is
 * rejected with another code than `UNAVAILABLE` or `TIMEOUT` ends it with that error, which all that wait for it then throw.
 */
export abstract class TaskLoad {
  /** How often submits were rejected, by code. */
  readonly rejected: Tally = new Map();
  acknowledged = 0;
  /** When the latest submit began whose acknowledgement, and whose result, came: in ms since 1970. */
  readonly served = { acknowledged: 0, ended: 0 };
  readonly #ledger: LedgerFile;
  readonly #waiting = new Set<Promise<void>>();
  #next = 0;
  #over = false;
  #running: Promise<void> = Promise.resolve();

  /** @param folder of the ledger */
  constructor(
    protected readonly plugin: TaskQueuePlugin,
    folder: string,
    protected readonly random: () => number,
    private readonly options: TaskLoadOptions,
  ) {
    this.#ledger = new LedgerFile(folder, 'submitter');
  }

  /** Task `number`, the first one being 1. */
  protected abstract task(number: number): LoadTask;

  /** Waits for the result of a task that has just been acknowledged, and notes what came of it; resolves to whether it came. */
  protected abstract ended(task: LoadTask): Promise<boolean>;

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

  /**
   * Waits until a submit that began after `since` (ms since 1970) is acknowledged, or its task has ended as well.
   * @param after for the error
   * @returns the time now, in ms since 1970
   */
  async back(what: 'acknowledged' | 'ended', since: number, ms: number, after: string): Promise<number> {
    await this.#until(() => this.served[what] > since, `a task that was submitted after "${after}" is ${what}`, ms);
    return Date.now();
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
    const { batch: size, single: alone, mostWaiting = Infinity } = this.options;
    while (!this.#over) {
      const from = performance.now();
      if (this.#waiting.size < mostWaiting) {
        const batch = Array.from({ length: size }, () => this.#task());
        const single = batch.splice(0, alone);
        await Promise.all([this.#submit(batch), ...single.map((task) => this.#submit([task]))]);
      } else {
        // Workers are slow or away; that submits go on has to be seen all the same.
        await this.#submit([this.#task()]);
      }
      await pause(Math.max(1, PACE_MS - (performance.now() - from)));
    }
  }

  #task(): LoadTask {
    return this.task((this.#next += 1));
  }

  /** Submits with the same ids until it is acknowledged, as callers do; some give up. */
  async #submit(tasks: readonly LoadTask[]): Promise<void> {
    const { givesUp = 0 } = this.options;
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
        tally(this.rejected, code);
        if (!EXPLAINED.includes(code)) throw error;
        if (givesUp > 0 && (this.random() < givesUp || this.#over)) return;
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

  async #wait(task: LoadTask, submitted: number): Promise<void> {
    if (await this.ended(task)) this.served.ended = Math.max(this.served.ended, submitted);
  }
}
