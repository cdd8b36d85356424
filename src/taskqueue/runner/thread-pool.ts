import { withDeadline } from '../../core/deadline.js';
import { errorMessage, HubError, type HubErrorOptions } from '../../core/errors.js';
import type { RunHandle, RunHooks, RunOutcome, RunnableTask, TaskRegistration, TaskRunner } from './run-outcome.js';
import type { ListedTask, TaskModule } from './thread-messages.js';
import { WorkerThread } from './worker-thread.js';

/** How long a task module may take to load when it is registered, in ms. */
const LOAD_TIMEOUT = 30_000;

/** A task of a module, which runs in a thread. */
export interface ModuleRegistration extends TaskRegistration {
  module: TaskModule;
}

/**
 * Threads for the tasks of registered modules. A thread is started when a task needs one and kept for the next; how many
 * run at once is the scheduler's business.
 */
export class ThreadPool implements TaskRunner {
  readonly #idle: WorkerThread[] = [];
  readonly #all = new Set<WorkerThread>();

  constructor(private readonly source: HubErrorOptions) {}

  run(task: RunnableTask, registration: TaskRegistration, hooks: RunHooks): RunHandle {
    const { module, observer } = registration as ModuleRegistration;
    const context = observer?.threadContext;
    const { taskId, name, args, kwargs, headers, attempt } = task;
    let thread: WorkerThread;
    try {
      thread = this.#take();
    } catch (cause) {
      // The machine has no thread left to give: a fault of this attempt, not of the queue.
      const message = `no worker thread could be started: ${errorMessage(cause)}`;
      const error = { type: 'WorkerLost', message };
      return { outcome: Promise.resolve({ kind: 'lost', error, noThread: true }), kill: () => true };
    }
    let killed = false;
    const outcome = thread
      .run(
        module,
        { taskId, name, args, kwargs, headers, attempt, ...(context === undefined ? {} : { context }) },
        hooks,
      )
      .then((result): RunOutcome => (killed && result.kind === 'lost' ? { kind: 'killed' } : result))
      .finally(() => this.#release(thread));
    return {
      outcome,
      kill: () => {
        killed = true;
        void thread.terminate();
        return true;
      },
    };
  }

  /**
   * Loads a module in a thread and returns its tasks; a module that hangs while it loads harms nothing.
   * Rejects with `INVALID_ARGUMENT` or `TIMEOUT`.
   */
  async list(module: TaskModule): Promise<ListedTask[]> {
    // Never one that has worked before: the module's own first import must not meet what tasks left behind.
    const thread = new WorkerThread();
    this.#all.add(thread);
    try {
      const tasks = await withDeadline(
        thread.list(module),
        LOAD_TIMEOUT,
        () =>
          new HubError('TIMEOUT', `the task module ${module.url} did not load within ${LOAD_TIMEOUT} ms.`, this.source),
      );
      this.#release(thread);
      return tasks;
    } catch (error) {
      this.#all.delete(thread);
      void thread.terminate();
      throw error;
    }
  }

  /** Ends all threads, also those at work. */
  async close(): Promise<void> {
    const threads = [...this.#all];
    this.#all.clear();
    this.#idle.length = 0;
    await Promise.all(threads.map((thread) => thread.terminate()));
  }

  #take(): WorkerThread {
    for (let thread = this.#idle.pop(); thread !== undefined; thread = this.#idle.pop()) {
      if (thread.alive) return thread;
      this.#all.delete(thread);
    }
    const thread = new WorkerThread();
    this.#all.add(thread);
    return thread;
  }

  #release(thread: WorkerThread): void {
    if (thread.alive && this.#all.has(thread)) this.#idle.push(thread);
    else this.#all.delete(thread);
  }
}
