import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { WaitingError, type Job } from 'bullmq';
import { sleep } from '../../../core/deadline.js';
import type { HubErrorOptions } from '../../../core/errors.js';
import type { JsonValue } from '../../../core/json.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import { faultText, isUp, type RedisClients } from '../../../redis/index.js';
import type { TaskRegistration } from '../../runner/run-outcome.js';
import type { WorkerInfo } from '../../taskqueue.types.js';
import { CancelWatch } from './cancel-watch.js';
import type { BullMQOptions } from './bullmq.options.js';
import { HubWorker } from './hub-worker.js';
import type { JobStore } from './job-store.js';
import { ParkedJobs } from './parked-jobs.js';
import { TaskExecutor } from './task-executor.js';
import { TaskRegistry } from './task-registry.js';
import { WorkerRoll } from './worker-roll.js';

/** How long Redis has to be away until a drain with nothing left to run gives up on it, in ms. */
const AWAY = 2_000;
/** A worker with nothing to do asks every 5 s, at most every 10 s; one with a limiter every 30 s. What has not for this long, in ms, is stuck. */
const STALE = 60_000;
/** How soon a worker asks again after a fault, in ms. */
const FAULT_PAUSE = 1_000;

/** What this process does for the queues: a worker of BullMQ for each, from the first registered task on. */
export class WorkForce {
  readonly cancels: CancelWatch;
  readonly registry: TaskRegistry;
  readonly roll: WorkerRoll;
  readonly #executor: TaskExecutor;
  readonly #parked: ParkedJobs;
  readonly #workers = new Map<string, HubWorker>();
  readonly #name = `${hostname()}/${process.pid}/${randomBytes(3).toString('hex')}`;
  #starting: NodeJS.Immediate | undefined;
  #draining: Promise<void> | undefined;
  #stopped = false;

  constructor(
    private readonly options: BullMQOptions,
    private readonly clients: RedisClients,
    store: JobStore,
    private readonly logger: StoreLogger,
    source: HubErrorOptions,
    /** Is told of each task that has been stored as done here. */
    private readonly onCompleted: (taskId: string, result: JsonValue) => void,
  ) {
    const { keys } = store;
    this.cancels = new CancelWatch(clients, keys, logger);
    this.registry = new TaskRegistry(source);
    this.roll = new WorkerRoll(clients, keys, logger);
    this.#executor = new TaskExecutor(options, clients, keys, this.cancels, logger, source);
    this.#parked = new ParkedJobs(options.unknownTaskDelay, store, logger);
  }

  /** Attempts that run now. */
  get active(): number {
    return this.#executor.active;
  }

  /** Queues that have a worker here. */
  get queues(): string[] {
    return [...this.#workers.keys()];
  }

  /** Registers tasks, and has workers take them. Throws `ALREADY_EXISTS`. */
  async register(registrations: readonly TaskRegistration[]): Promise<void> {
    this.registry.register(registrations);
    if (this.#stopped || this.#draining !== undefined) return;
    // Registrations come one after the other at the start: a job is not to be taken before its task is there.
    this.#starting ??= setImmediate(() => {
      this.#starting = undefined;
      this.#start();
    });
    await this.roll.enter(() => this.#describe());
    await this.#parked.release(registrations.map(({ name }) => name));
  }

  /** What is wrong with a worker; `undefined` when all of them fetch. */
  get fault(): string | undefined {
    if (this.#draining !== undefined) return undefined;
    for (const [queue, worker] of this.#workers) {
      // One that has just started is still about to connect.
      if (worker.isStarting(this.options.connectTimeout)) continue;
      const blocking = this.clients.named(worker.blockingName);
      if (blocking === undefined || !isUp(blocking)) {
        return `the worker of queue "${queue}" is not connected (${blocking?.status ?? 'not started'})`;
      }
      if (!worker.isRunning()) return `the worker of queue "${queue}" does not run`;
      const idle = Date.now() - worker.lastFetch;
      if (idle > STALE && this.active < worker.concurrency) {
        return `the worker of queue "${queue}" has not asked for tasks for ${idle} ms`;
      }
    }
    return undefined;
  }

  /** Takes nothing new, and resolves when all that runs has ended and is stored. */
  async drain(): Promise<void> {
    this.#draining ??= this.#drain();
    await this.#draining;
  }

  /** Abandons what runs; it runs again when its locks have run out. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#starting !== undefined) clearImmediate(this.#starting);
    this.cancels.close();
    this.#executor.abandon();
    await this.#closeWorkers();
    await this.roll.leave();
  }

  async #drain(): Promise<void> {
    if (this.#starting !== undefined) clearImmediate(this.#starting);
    await this.#closeWorkers();
    await this.#executor.idle();
    await this.roll.leave();
  }

  async #closeWorkers(): Promise<void> {
    const over = new AbortController();
    const closed = Promise.all([...this.#workers.values()].map((worker) => worker.close()));
    await Promise.race([closed, this.#hopeless(over.signal)]).finally(() => over.abort());
  }

  /** Resolves when nothing runs and Redis stays away: BullMQ would wait for it without end. */
  async #hopeless(over: AbortSignal): Promise<void> {
    let away = 0;
    for (const pause = 100; away < AWAY && !over.aborted;) {
      await sleep(pause);
      away = this.clients.up || this.active > 0 ? 0 : away + pause;
    }
  }

  #start(): void {
    if (this.#stopped || this.#draining !== undefined) return;
    const { defaultQueue, queues } = this.options;
    for (const queue of new Set([defaultQueue, ...Object.keys(queues)])) {
      const concurrency = Math.min(queues[queue]?.concurrency ?? Infinity, this.registry.slots);
      const worker = this.#workers.get(queue);
      if (worker !== undefined) worker.concurrency = concurrency;
      else this.#workers.set(queue, this.#hire(queue, concurrency));
    }
  }

  #hire(queue: string, concurrency: number): HubWorker {
    const { prefix, lockDuration, stalledInterval, maxStalledCount, queues } = this.options;
    const limiter = queues[queue]?.limiter;
    const worker = new HubWorker(queue, (job, token) => this.#process(job, token), {
      connection: this.clients.patient,
      prefix,
      name: this.#name,
      concurrency,
      lockDuration,
      stalledInterval,
      maxStalledCount,
      runRetryDelay: FAULT_PAUSE,
      ...(limiter === undefined ? {} : { limiter }),
    });
    worker.on('error', (error) => {
      // An outage is told once, by the connection.
      if (this.clients.up) this.logger.warn(`the worker of queue "${queue}": ${faultText(error)}`);
    });
    worker.on('completed', ({ id = '' }, result: JsonValue) => this.onCompleted(id, result));
    worker.on('stalled', (jobId) => this.logger.warn(`task ${jobId} lost its worker and runs again.`));
    return worker;
  }

  /** Not async itself: each turn through the promises counts where tasks are short. */
  #process(job: Job, token: string | undefined): Promise<unknown> {
    // BullMQ may take one more while it closes.
    if (this.#stopped || this.#draining !== undefined) return this.#giveBack(job, token);
    const registration = this.registry.get(job.name);
    return registration === undefined ? this.#parked.park(job, token) : this.#executor.run(job, registration);
  }

  async #giveBack(job: Job, token: string | undefined): Promise<never> {
    await job.moveToWait(token);
    throw new WaitingError();
  }

  #describe(): WorkerInfo {
    return { name: this.#name, tasks: this.registry.names, active: this.active, concurrency: this.registry.slots };
  }
}
