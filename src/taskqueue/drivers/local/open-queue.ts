import { hostname } from 'node:os';
import type { HubErrorOptions } from '../../../core/errors.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import type { WorkerInfo } from '../../taskqueue.types.js';
import { CleanUp } from './clean-up.js';
import { InProcessRunner } from '../../runner/in-process-runner.js';
import type { LocalTaskQueueOptions } from './local.options.js';
import type { RunnerSlots } from '../../runner/run-outcome.js';
import { Scheduler } from './scheduler.js';
import { TaskLog } from './task-log.js';
import { TaskStore } from './task-store.js';
import { TaskWaiters } from '../../runner/task-waiters.js';
import { ThreadPool } from '../../runner/thread-pool.js';

/** The parts of an open task queue. */
export interface OpenQueue {
  readonly store: TaskStore;
  readonly scheduler: Scheduler;
  readonly waiters: TaskWaiters;
  readonly inProcess: RunnerSlots;
  readonly threads: RunnerSlots & { readonly runner: ThreadPool };
  /** The runners that have something to run, and always the event loop. */
  workers: () => WorkerInfo[];
  /** Abandons what runs, ends threads and timers, and closes the store. */
  close: () => Promise<void>;
}

/** Opens the store, recovers what an earlier process left, and starts working. Throws `STORE_LOCKED`, `UNAVAILABLE`. */
export function openQueue(options: LocalTaskQueueOptions, source: HubErrorOptions, logger: StoreLogger): OpenQueue {
  const store = new TaskStore(options, options.resultTtl);
  try {
    const { error, lost, failed } = store.recover(options.attemptLimit, Date.now());
    const log = new TaskLog(logger);
    for (const task of lost) log.lost(task, error, 0);
    for (const task of failed) log.failed(task, error);
  } catch (error) {
    store.close();
    throw error;
  }
  const waiters = new TaskWaiters();
  const scheduler = new Scheduler(store, waiters, options, source, logger);
  const name = `${hostname()}/${process.pid}`;
  const runner = new ThreadPool(source);
  const threads = { name: `${name}/threads`, runner, concurrency: options.workerThreads, active: 0 };
  const inProcess = { name, runner: new InProcessRunner(source), concurrency: options.concurrency, active: 0 };
  const cleanUp = new CleanUp(store, options.resultTtl, logger);
  scheduler.wake();
  return {
    store,
    scheduler,
    waiters,
    inProcess,
    threads,
    workers: () =>
      [inProcess, threads]
        .map((slots): WorkerInfo => {
          const { active, concurrency } = slots;
          return { name: slots.name, tasks: scheduler.names(slots), active, concurrency };
        })
        .filter((worker) => worker.name === name || worker.tasks.length > 0),
    close: async () => {
      cleanUp.stop();
      scheduler.stop();
      waiters.close();
      try {
        await runner.close();
      } finally {
        store.close();
      }
    },
  };
}
