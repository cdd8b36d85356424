import { setTimeout as pause } from 'node:timers/promises';
import { HubError } from '../../../src/core/errors.js';
import type { TaskQueuePlugin } from '../../../src/taskqueue/index.js';
import { TASK } from './chaos-size.js';
import { LedgerFile } from './ledger-file.js';

/** Tasks of one batch, and how many of them are submitted singly instead. */
const BATCH = 50;
const SINGLE = 10;
/** From one batch to the next, in ms. */
const PACE_MS = 100;
/** Most time until a task that was acknowledged has ended, in ms. */
const RESULT_MS = 120_000;

interface ChaosTask {
  name: string;
  taskId: string;
  args: number[];
}

/** Submits tasks without pause, notes in the ledger what was acknowledged, and waits for each result. */
export class ChaosLoad {
  /** How often submits were rejected, by code. */
  readonly rejected = new Map<string, number>();
  acknowledged = 0;
  /** The latest acknowledgement of a task that has its result, in ms since 1970. */
  served = 0;
  /** What became of the acknowledged ones: `right`, `wrong`, or an error's code. */
  readonly ends = new Map<string, number>();
  readonly #ledger: LedgerFile;
  readonly #waiting: Promise<void>[] = [];
  #next = 0;
  #over = false;
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly plugin: TaskQueuePlugin,
    folder: string,
    private readonly random: () => number,
  ) {
    this.#ledger = new LedgerFile(folder, 'submitter');
  }

  /** Submits from now on. */
  start(): void {
    this.#running = this.#run();
    // Told by whoever waits for it.
    this.#running.catch(() => undefined);
  }

  /** Waits until so many are acknowledged. */
  async reached(count: number, ms: number): Promise<void> {
    const deadline = Date.now() + ms;
    while (this.acknowledged < count) {
      if (Date.now() > deadline) throw new Error(`${this.acknowledged} of ${count} acknowledged in ${ms} ms`);
      await Promise.race([this.#running, pause(20)]);
    }
  }

  /** Waits until a task that is acknowledged from now on has its result; resolves to how long that took, in ms. */
  async returned(ms: number): Promise<number> {
    const from = Date.now();
    while (this.served <= from) {
      if (Date.now() > from + ms) throw new Error(`nothing was submitted and run within ${ms} ms`);
      await Promise.race([this.#running, pause(10)]);
    }
    return Date.now() - from;
  }

  /** Submits nothing more, and waits for all results. */
  async end(): Promise<void> {
    this.#over = true;
    await this.#running;
    await Promise.all(this.#waiting);
    this.#ledger.close();
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      const from = performance.now();
      const batch = Array.from({ length: BATCH }, () => this.#task());
      const single = batch.splice(0, SINGLE);
      await Promise.all([this.#submit(batch), ...single.map((task) => this.#submit([task]))]);
      await pause(Math.max(1, PACE_MS - (performance.now() - from)));
    }
  }

  #task(): ChaosTask {
    const number = (this.#next += 1);
    return { name: TASK, taskId: `t-${number}`, args: [number] };
  }

  /** Submits until it is acknowledged, as callers do with ids of their own; some callers give up. */
  async #submit(tasks: readonly ChaosTask[]): Promise<void> {
    for (const { taskId } of tasks) this.#ledger.write('submitting', taskId);
    for (;;) {
      try {
        const [first] = tasks;
        if (tasks.length > 1) await this.plugin.submitTasks(tasks);
        else if (first !== undefined) await this.plugin.submitTask(TASK, first);
        break;
      } catch (error) {
        const code = HubError.is(error) ? error.code : String(error);
        count(this.rejected, code);
        if (this.random() < 0.2 || this.#over) return;
        await pause(PACE_MS);
      }
    }
    for (const { taskId, args } of tasks) {
      this.#ledger.write('acknowledged', taskId);
      this.#waiting.push(this.#result(taskId, Number(args[0]) * 2));
    }
    this.acknowledged += tasks.length;
  }

  async #result(taskId: string, expected: number): Promise<void> {
    const since = Date.now();
    try {
      const result = await this.plugin.getResult(taskId, { timeout: RESULT_MS });
      count(this.ends, result === expected ? 'right' : 'wrong');
      this.served = Math.max(this.served, since);
    } catch (error) {
      count(this.ends, HubError.is(error) ? error.code : String(error));
    }
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
