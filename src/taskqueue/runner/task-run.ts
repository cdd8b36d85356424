import { HubError } from '../../core/errors.js';
import type { TaskError } from '../taskqueue.types.js';
import { Alarm } from './alarm.js';
import type { RunHandle, RunHooks, RunnableTask, RunOutcome, StopReason, TaskRegistration } from './run-outcome.js';

/** What an attempt means for its task. */
export type RunEnd =
  | { kind: 'success'; json: string }
  /** `stillRuns`: its handler cannot be ended and holds its slot until it ends by itself. */
  | { kind: 'failure'; error: TaskError; retryable: boolean; stillRuns?: boolean }
  /** `noThread`: as in {@link RunOutcome}. */
  | { kind: 'lost'; error: TaskError; noThread?: boolean }
  | { kind: 'revoked'; message: string };

/** One attempt of a task: starts it, enforces time limit and cancellation, and says how it ended. */
export class TaskRun<Task extends RunnableTask = RunnableTask> implements RunHooks {
  /** Resolves once, never rejects; to `undefined` when the run is abandoned. */
  readonly ended: Promise<RunEnd | undefined>;
  /** Made when somebody asks for the signal: most tasks never do, and making one takes longer than many of them. */
  #controller: AbortController | undefined;
  readonly #timeLimit: number | undefined;
  #limitAlarm: Alarm | undefined;
  #killAlarm: Alarm | undefined;
  readonly #handle: RunHandle;
  #settle: (end: RunEnd | undefined) => void = () => undefined;
  #stopped: StopReason | undefined;
  #sequence = 0;

  constructor(
    readonly task: Task,
    readonly registration: TaskRegistration,
    private readonly killGrace: number,
    private readonly report: (run: TaskRun<Task>, json: string, sequence: number) => void | Promise<void>,
  ) {
    this.#timeLimit = task.timeLimit ?? registration.options.timeLimit;
    this.ended = new Promise((resolve) => (this.#settle = resolve));
    if (this.#timeLimit !== undefined) {
      this.#limitAlarm = new Alarm(() => this.stop('timeLimit'));
      this.#limitAlarm.set(Date.now() + this.#timeLimit);
    }
    const { slots, observer } = registration;
    this.#handle =
      observer === undefined
        ? slots.runner.run(task, registration, this)
        : observer.run(task, (headers) => slots.runner.run({ ...task, headers }, registration, this));
    void this.#handle.outcome.then((outcome) => this.#end(this.#conclude(outcome)));
  }

  /** Settles when nothing of the attempt runs any more, which can be later than {@link ended}. */
  get released(): Promise<unknown> {
    return this.#handle.outcome;
  }

  /** Takes a progress report of the task, numbers it and hands it on. */
  onProgress(json: string): void | Promise<void> {
    return this.report(this, json, ++this.#sequence);
  }

  /** Fires the task's signal; what ignores it is ended after the grace time where that is possible. */
  stop(reason: StopReason): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = reason;
    this.#killAlarm = new Alarm(() => this.#kill());
    this.#killAlarm.set(Date.now() + this.killGrace);
    this.#controller?.abort(this.#abortReason(reason));
  }

  /** Fires when the task is to stop. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#stopped !== undefined) this.#controller.abort(this.#abortReason(this.#stopped));
    }
    return this.#controller.signal;
  }

  /** Asks the task to stop, and waits for it no longer. */
  abandon(): void {
    this.stop('shutdown');
    this.#end(undefined);
  }

  #kill(): void {
    if (this.#handle.kill() || this.#stopped !== 'timeLimit') return;
    // A handler on the event loop cannot be ended, but who waits for the task has to learn of it. No retry: the first
    // attempt still runs.
    const error = { ...this.#overdue(), message: `${this.#overdue().message} It ignores its signal and still runs.` };
    this.#end({ kind: 'failure', error, retryable: false, stillRuns: true });
  }

  #end(end: RunEnd | undefined): void {
    this.#limitAlarm?.clear();
    this.#killAlarm?.clear();
    this.#settle(end);
  }

  #conclude(outcome: RunOutcome): RunEnd {
    if (outcome.kind === 'result') return { kind: 'success', json: outcome.json };
    if (this.#stopped === 'cancelled') return { kind: 'revoked', message: 'it was cancelled while it ran' };
    if (this.#stopped === 'timeLimit') return { kind: 'failure', error: this.#overdue(), retryable: true };
    if (outcome.kind === 'error') return { kind: 'failure', error: outcome.error, retryable: true };
    if (outcome.kind === 'lost') return outcome;
    return { kind: 'lost', error: { type: 'WorkerLost', message: 'its worker thread was ended' } };
  }

  #overdue(): TaskError {
    return {
      type: 'TimeLimitExceeded',
      message: `the attempt took longer than its timeLimit of ${this.#timeLimit} ms.`,
    };
  }

  #abortReason(reason: StopReason): HubError {
    switch (reason) {
      case 'cancelled':
        return new HubError('TASK_REVOKED', `task ${this.task.taskId} was cancelled.`);
      case 'timeLimit':
        return new HubError('TIMEOUT', this.#overdue().message);
      case 'shutdown':
        return new HubError('CLOSED', 'the task queue shuts down; the task will run again.');
    }
  }
}
