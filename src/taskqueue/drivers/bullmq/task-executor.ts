import { DelayedError, type Job } from 'bullmq';
import { Bag } from '../../../core/bag.js';
import { errorMessage, HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { JsonValue } from '../../../core/json.js';
import { checkRetry, resolveRetry, retryDelay, type RetryPolicy } from '../../../core/retry.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import type { RedisClients } from '../../../redis/index.js';
import type { RunnableTask, TaskRegistration } from '../../runner/run-outcome.js';
import { TaskRun, type RunEnd } from '../../runner/task-run.js';
import type { TaskError, TaskProgress } from '../../taskqueue.types.js';
import { tooLarge } from '../../taskqueue.validation.js';
import type { BullMQOptions } from './bullmq.options.js';
import type { CancelWatch } from './cancel-watch.js';
import { LOST_FIELD } from './job-record.js';
import type { RedisKeys } from './redis-keys.js';
import type { RunSlots } from './run-slots.js';
import { decodeTask, type TaskEnvelope } from './task-envelope.js';
import { TaskFailure } from './task-failure.js';

/** Backoff of a task that no thread could be started for: a lack of memory or threads takes a while to end. */
const NO_THREAD_BACKOFF = { delay: 1_000, factor: 2, maxDelay: 60_000, jitter: 0.2 };
/** Backoff of a task whose thread died: what kills each of its threads is known as such within seconds. */
const LOSS_BACKOFF = { ...NO_THREAD_BACKOFF, delay: 100 };

/** An attempt of a job. */
interface Attempt extends RunnableTask {
  job: Job;
  /** Attempts before this one whose process or thread died. */
  lost: number;
  /** What its envelope says. */
  retry: RetryPolicy | undefined;
}

/** Runs jobs that a worker has taken, and tells BullMQ how they ended. */
export class TaskExecutor {
  readonly #runs = new Bag<TaskRun<Attempt>>();
  /** Handlers that run, also those that their tasks no longer wait for. */
  #handlers = 0;
  readonly #whenIdle: (() => void)[] = [];
  /** Ends what waits for Redis, at a shutdown. */
  readonly #abandons = new Bag<() => void>();
  #stopped = false;

  constructor(
    private readonly options: BullMQOptions,
    private readonly clients: RedisClients,
    private readonly keys: RedisKeys,
    private readonly cancels: CancelWatch,
    private readonly logger: StoreLogger,
    private readonly source: HubErrorOptions,
  ) {}

  /** Attempts that run now. */
  get active(): number {
    return this.#runs.size;
  }

  /** Runs one attempt. Resolves to the result, or rejects as BullMQ wants it for a failure, a retry, or no answer. */
  async run(job: Job, registration: TaskRegistration): Promise<unknown> {
    const slots = registration.slots as RunSlots;
    // Most attempts need nothing of Redis before they start; each wait that is not made counts where tasks are short.
    const attempt = job.attemptsMade + job.stalledCounter === 0 ? this.#first(job) : await this.#next(job);
    if (attempt === undefined) return this.#refuse(job, 'it had not started when it expired');
    let cancelled = false;
    let run: TaskRun<Attempt> | undefined;
    const unwatch = this.cancels.watch(attempt.taskId, () => {
      cancelled = true;
      run?.stop('cancelled');
    });
    try {
      if (!slots.tryTake()) await slots.take();
      if (cancelled || this.#stopped) {
        slots.free();
        if (cancelled) await this.#refuse(job, 'it was cancelled before it started');
        throw new DelayedError();
      }
      let reports: Promise<unknown> | undefined;
      const started = new TaskRun(attempt, registration, this.options.killGrace, (_run, json, sequence) => {
        const stored = this.#report(attempt, json, sequence);
        // A report that nobody awaited has to be stored before the end, too.
        reports = Promise.allSettled([reports, stored]);
        return stored;
      });
      run = started;
      this.#hold(started, slots);
      const end = await started.ended;
      // The job stays as it is: when its lock has run out, another worker runs it again.
      if (end === undefined) throw new DelayedError();
      if (reports !== undefined) await this.#unlessAbandoned(reports);
      return end.kind === 'success' ? this.#result(attempt, end.json) : await this.#conclude(started, end);
    } finally {
      unwatch();
      if (run !== undefined) this.#runs.delete(run);
    }
  }

  /** Resolves when nothing runs any more, also no handler that its task no longer waits for. */
  async idle(): Promise<void> {
    while (this.#handlers > 0 && !this.#stopped) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  /** Abandons what runs. */
  abandon(): void {
    this.#stopped = true;
    for (const run of this.#runs) run.abandon();
    for (const abandon of this.#abandons) abandon();
    this.#runs.clear();
    this.#tellIdle();
  }

  /** Resolves with `work`, or when it is abandoned. */
  async #unlessAbandoned(work: Promise<unknown>): Promise<void> {
    let abandon = (): void => undefined;
    const abandoned = new Promise<void>((resolve) => this.#abandons.add((abandon = resolve)));
    await Promise.race([work, abandoned]).finally(() => this.#abandons.delete(abandon));
  }

  /** Keeps the slot until nothing of the attempt runs any more. */
  #hold(run: TaskRun<Attempt>, slots: RunSlots): void {
    this.#runs.add(run);
    this.#handlers += 1;
    void run.released.then(() => {
      slots.free();
      this.#handlers -= 1;
      if (this.#handlers === 0) this.#tellIdle();
    });
  }

  #tellIdle(): void {
    for (const told of this.#whenIdle.splice(0)) told();
  }

  /** Makes a job that is not to be started REVOKED. */
  async #refuse(job: Job, reason: string): Promise<never> {
    job.opts.attempts = 0;
    await this.cancels.forget(job.id ?? '');
    throw TaskFailure.revoked(reason, false);
  }

  /** The first attempt of a job; `undefined` when it has expired. */
  #first(job: Job): Attempt | undefined {
    const envelope = decodeTask(job.data);
    if (envelope.expires !== undefined && envelope.expires <= Date.now()) return undefined;
    return this.#attempt(job, envelope, 0);
  }

  /** A further attempt of a job; rejects when it was asked to stop in an earlier one. */
  async #next(job: Job): Promise<Attempt> {
    const taskId = job.id ?? '';
    if (await this.cancels.isRequested(taskId)) await this.#refuse(job, 'it was cancelled while it ran');
    const lostThreads =
      job.attemptsMade === 0
        ? 0
        : Number((await this.clients.patient.hget(this.keys.of(job.queueName, taskId), LOST_FIELD)) ?? 0);
    return this.#attempt(job, decodeTask(job.data), lostThreads);
  }

  #attempt(job: Job, { args, kwargs, headers = {}, timeLimit, retry }: TaskEnvelope, lostThreads: number): Attempt {
    return {
      job,
      taskId: job.id ?? '',
      name: job.name,
      args,
      kwargs,
      headers,
      attempt: job.attemptsMade + job.stalledCounter + 1,
      timeLimit: timeLimit ?? null,
      lost: job.stalledCounter + lostThreads,
      retry: this.#policy(job, retry),
    };
  }

  /** The retry policy of an envelope; one that makes no sense, from another producer, is left out. */
  #policy(job: Job, retry: RetryPolicy | undefined): RetryPolicy | undefined {
    if (retry === undefined) return undefined;
    try {
      return checkRetry(retry, this.source);
    } catch (error) {
      this.logger.warn(`task "${job.name}" (${job.id}) has a retry policy of no use: ${errorMessage(error)}`);
      return undefined;
    }
  }

  async #report({ job, name, attempt }: Attempt, json: string, sequence: number): Promise<void> {
    if (this.#stopped) throw new HubError('CLOSED', 'the task queue has been shut down.', this.source);
    const fault = this.#oversize(`the progress report of task "${name}"`, json);
    if (fault !== undefined) throw fault;
    const progress: TaskProgress = { sequence, attempt, data: JSON.parse(json) as JsonValue, timestamp: Date.now() };
    await job.updateProgress(progress);
  }

  #result(task: Attempt, json: string): unknown {
    const fault = this.#oversize(`the result of task "${task.name}"`, json);
    if (fault === undefined) return JSON.parse(json) as unknown;
    return this.#fail(task, { type: 'PAYLOAD_INVALID', message: errorMessage(fault) });
  }

  async #conclude({ task, registration }: TaskRun<Attempt>, end: Exclude<RunEnd, { kind: 'success' }>): Promise<never> {
    switch (end.kind) {
      case 'revoked':
        task.job.opts.attempts = 0;
        await this.cancels.forget(task.taskId);
        throw TaskFailure.revoked(end.message, true);
      case 'lost':
        return this.#lose(task, end.error, end.noThread === true);
      case 'failure':
        if (end.stillRuns === true) {
          this.logger.warn(`${subject(task)} ignores its time limit and still holds a slot.`);
        }
        return this.#retryOrFail(task, registration, end.error, end.retryable);
    }
  }

  async #lose(task: Attempt, error: TaskError, noThread: boolean): Promise<never> {
    const { maxStalledCount } = this.options;
    if (task.lost >= maxStalledCount) {
      const message = `${error.message}. It was lost ${task.lost + 1} times (maxStalledCount ${maxStalledCount}).`;
      return this.#fail(task, { ...error, message });
    }
    await this.clients.patient.hincrby(this.keys.of(task.job.queueName, task.taskId), LOST_FIELD, 1);
    const delay = retryDelay(noThread ? NO_THREAD_BACKOFF : LOSS_BACKOFF, task.lost + 1);
    this.logger.warn(`${subject(task)} was lost and runs again in ${delay} ms: ${error.type}: ${error.message}`);
    return this.#again(task, error, delay);
  }

  #retryOrFail(task: Attempt, registration: TaskRegistration, error: TaskError, retryable: boolean): never {
    const { job } = task;
    if (!retryable) return this.#fail(task, error);
    const policy = task.retry ?? (job.opts.attempts ? undefined : (registration.options.retry ?? {}));
    // What another producer wants by BullMQ's own options.
    if (policy === undefined) throw new TaskFailure(error);
    const failures = task.attempt - task.lost;
    if (failures >= resolveRetry(policy).attempts) return this.#fail(task, error);
    const delay = retryDelay(policy, failures);
    this.logger.debug(`${subject(task)} failed and runs again in ${delay} ms: ${error.type}: ${error.message}`);
    return this.#again(task, error, delay);
  }

  /** BullMQ decides by the options of the object in hand; what is stored stays as it is. */
  #again({ job }: Attempt, error: TaskError, delay: number): never {
    job.opts.attempts = Infinity;
    job.opts.backoff = { type: 'fixed', delay };
    throw new TaskFailure(error);
  }

  #fail(task: Attempt, error: TaskError): never {
    task.job.opts.attempts = 0;
    this.logger.warn(`${subject(task)} failed: ${error.type}: ${error.message}`);
    throw new TaskFailure(error);
  }

  #oversize(what: string, json: string): HubError | undefined {
    const { maxPayloadBytes } = this.options;
    const bytes = Buffer.byteLength(json);
    return bytes > maxPayloadBytes ? tooLarge(what, bytes, maxPayloadBytes, this.source) : undefined;
  }
}

function subject({ name, taskId, attempt }: Attempt): string {
  return `task "${name}" (${taskId}), attempt ${attempt},`;
}
