import { Worker } from 'node:worker_threads';
import { errorMessage, HubError } from '../../core/errors.js';
import type { TaskError } from '../taskqueue.types.js';
import type { RunHooks, RunOutcome } from './run-outcome.js';
import { findTsx } from './task-module.js';
import type { FromThread, ListedTask, TaskModule, ThreadError, ThreadTask, ToThread } from './thread-messages.js';

// The worker is a sibling of this file with the same extension: `.ts` among the sources, `.js` in what is built.
const ENTRY = new URL(`./thread-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href;
// On Node 20 a worker takes TypeScript only when tsx is registered inside it.
const BOOTSTRAP = `const { entry, tsx } = require('node:worker_threads').workerData;
(tsx === undefined ? Promise.resolve() : import(tsx).then(({ register }) => register())).then(() => import(entry));`;

/** Receives the messages of the running job. */
interface JobListener {
  onMessage(message: FromThread): void;
  /** @param online whether it has run any code: a machine out of memory or threads ends it before that */
  onExit(error: TaskError, online: boolean): void;
}

/**
 * One thread, which does one job at a time. Built on `worker_threads` itself: piscina loads its worker file by
 * `require` first, which fails on TypeScript sources under tsx, and knows no soft abort before termination.
 */
export class WorkerThread {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #listener: JobListener | undefined;
  #failure: string | undefined;
  #job = 0;
  #alive = true;
  #online = false;

  constructor() {
    const tsx = ENTRY.endsWith('.ts') ? findTsx(import.meta.url) : undefined;
    // execArgv is not inherited: flags such as --input-type would break the worker.
    this.#worker = new Worker(BOOTSTRAP, { eval: true, execArgv: [], workerData: { entry: ENTRY, tsx } });
    this.#worker.unref();
    this.#worker.once('online', () => (this.#online = true));
    this.#worker.on('message', (message: FromThread) => {
      if (message.job === this.#job) this.#listener?.onMessage(message);
    });
    this.#worker.on('error', (error) => (this.#failure = errorMessage(error)));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#alive = false;
        const why = this.#failure ?? `it exited with code ${code}`;
        const message = `the worker thread ended while it ran the task: ${why}`;
        this.#listener?.onExit({ type: 'WorkerLost', message }, this.#online);
        resolve();
      });
    });
  }

  /** Whether it can take a job. */
  get alive(): boolean {
    return this.#alive;
  }

  /** Runs a task. Never rejects. */
  run(module: TaskModule, task: ThreadTask, hooks: RunHooks): Promise<RunOutcome> {
    const { signal } = hooks;
    return this.#start<RunOutcome>((job, done) => {
      const abort = (): void => this.#send({ type: 'abort', job, error: threadError(signal.reason) });
      signal.addEventListener('abort', abort, { once: true });
      const end = (outcome: RunOutcome): void => {
        signal.removeEventListener('abort', abort);
        done(outcome);
      };
      this.#send({ type: 'run', job, module, task });
      if (signal.aborted) abort();
      return {
        onMessage: (message) => {
          if (message.type === 'done') end(message.outcome);
          if (message.type === 'progress') void this.#store(message, hooks);
        },
        onExit: (error, online) => end({ kind: 'lost', error, noThread: !online }),
      };
    });
  }

  /** The tasks of a module. Rejects with what the thread says, or `INVALID_ARGUMENT` when the module ends it. */
  async list(module: TaskModule): Promise<ListedTask[]> {
    const answer = await this.#start<ListedTask[] | HubError>((job, done) => {
      this.#send({ type: 'list', job, module });
      return {
        onMessage: (message) => {
          if (message.type === 'listed') done(message.tasks);
          if (message.type === 'unlisted') done(new HubError(message.error.code, message.error.message));
        },
        onExit: ({ message }) => {
          done(new HubError('INVALID_ARGUMENT', `the task module ${module.url} cannot be loaded: ${message}`));
        },
      };
    });
    if (answer instanceof HubError) throw answer;
    return answer;
  }

  /** Ends the thread, whatever it does; resolves when it has ended. */
  async terminate(): Promise<void> {
    this.#alive = false;
    await this.#worker.terminate();
    await this.#exited;
  }

  #start<T>(begin: (job: number, done: (result: T) => void) => JobListener): Promise<T> {
    return new Promise((resolve) => {
      this.#job += 1;
      // Only a thread at work keeps the process alive.
      this.#worker.ref();
      this.#listener = begin(this.#job, (result) => {
        this.#listener = undefined;
        this.#worker.unref();
        resolve(result);
      });
    });
  }

  async #store(message: Extract<FromThread, { type: 'progress' }>, hooks: RunHooks): Promise<void> {
    const { job, report } = message;
    try {
      await hooks.onProgress(message.json);
      this.#send({ type: 'stored', job, report });
    } catch (error) {
      this.#send({ type: 'stored', job, report, error: threadError(error) });
    }
  }

  #send(message: ToThread): void {
    this.#worker.postMessage(message);
  }
}

function threadError(error: unknown): ThreadError {
  return { code: HubError.is(error) ? error.code : 'INTERNAL', message: errorMessage(error) };
}
