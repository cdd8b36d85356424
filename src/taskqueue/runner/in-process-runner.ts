import { HubError, type HubErrorOptions } from '../../core/errors.js';
import { toJson, type JsonValue } from '../../core/json.js';
import { taskErrorOf } from '../task-error.js';
import type { TaskContext, TaskHandler } from '../taskqueue.types.js';
import type { RunHandle, RunHooks, RunOutcome, RunnableTask, TaskRegistration, TaskRunner } from './run-outcome.js';

/** A task that runs on the event loop of this process. */
export interface HandlerRegistration extends TaskRegistration {
  handler: TaskHandler;
}

/** Runs the handlers of `registerTask` and `@Task`. */
export class InProcessRunner implements TaskRunner {
  constructor(private readonly source: HubErrorOptions) {}

  run(task: RunnableTask, registration: TaskRegistration, hooks: RunHooks): RunHandle {
    const { handler } = registration as HandlerRegistration;
    return { outcome: this.#run(task, handler, hooks), kill: () => false };
  }

  async #run(task: RunnableTask, handler: TaskHandler, hooks: RunHooks): Promise<RunOutcome> {
    const context = new RunContext(task, hooks, this.source);
    try {
      // A handler may block at its start; the pass that started it should not.
      await Promise.resolve();
      const result = await handler(context);
      return { kind: 'result', json: toJson(result ?? null, `the result of task "${task.name}"`, this.source) };
    } catch (error) {
      return { kind: 'error', error: taskErrorOf(error) };
    } finally {
      context.end();
    }
  }
}

/** What a handler is called with. */
class RunContext implements TaskContext {
  readonly taskId: string;
  readonly name: string;
  readonly args: TaskContext['args'];
  readonly kwargs: TaskContext['kwargs'];
  readonly headers: TaskContext['headers'];
  readonly attempt: number;
  declare readonly signal: AbortSignal;
  readonly #hooks: RunHooks;
  readonly #source: HubErrorOptions;
  #over = false;

  constructor(
    { taskId, name, args, kwargs, headers, attempt }: RunnableTask,
    hooks: RunHooks,
    source: HubErrorOptions,
  ) {
    this.taskId = taskId;
    this.name = name;
    this.args = args;
    this.kwargs = kwargs;
    this.headers = headers;
    this.attempt = attempt;
    this.#hooks = hooks;
    this.#source = source;
    Object.defineProperty(this, 'signal', RunContext.#signal);
  }

  /**
   * Its own property, so that `{ ...context }` has it, and made when it is read; one getter for all contexts: with a getter
   * written in place V8 would give each context a hidden class, which keeps all that the attempt held until the next full
   * collection.
   */
  static readonly #signal: PropertyDescriptor & ThisType<RunContext> = {
    enumerable: true,
    get() {
      return this.#hooks.signal;
    },
  };

  /** A function of its own, for handlers that take it out of the context. Async: what is wrong rejects as it does in a thread. */
  readonly progress = async (data: JsonValue): Promise<void> => {
    if (this.#over)
      throw new HubError('CONFLICT', `task ${this.taskId} has ended; it cannot report progress.`, this.#source);
    await this.#hooks.onProgress(toJson(data, `progress of task "${this.name}"`, this.#source));
  };

  /** From now on the handler cannot report. */
  end(): void {
    this.#over = true;
  }
}
