import { errorMessage, HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { JsonValue } from '../../../core/json.js';
import { resolveRetry, retryDelay } from '../../../core/retry.js';
import { StoreFault } from '../../../embedded/store-fault.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import type { TaskError } from '../../taskqueue.types.js';
import { tooLarge } from '../../taskqueue.validation.js';
import { Alarm } from '../../runner/alarm.js';
import type { LocalTaskQueueOptions } from './local.options.js';
import type { RunnerSlots, TaskRegistration } from '../../runner/run-outcome.js';
import type { Candidate, ClaimedTask } from './task-records.js';
import { TaskLog } from './task-log.js';
import { TaskRun, type RunEnd } from '../../runner/task-run.js';
import type { TaskStore } from './task-store.js';
import type { TaskWaiters } from '../../runner/task-waiters.js';

/** Wait in ms before a write that failed (a full disk, say) is tried again. */
const STORE_RETRY = 1_000;

/** Backoff of a task that no thread could be started for: a lack of memory or threads takes a while to end. */
const NO_THREAD_BACKOFF = { delay: 1_000, factor: 2, maxDelay: 60_000, jitter: 0.2 };
/** Backoff of a task whose thread died: what kills each of its threads is known as such within seconds. */
const LOSS_BACKOFF = { ...NO_THREAD_BACKOFF, delay: 100 };

/** Decides what runs when: takes waiting tasks from the store in order, runs them, and stores how they ended. */
export class Scheduler {
  readonly #log: TaskLog;
  readonly #fault: StoreFault;
  readonly #registrations = new Map<string, TaskRegistration>();
  readonly #runs = new Map<string, TaskRun<ClaimedTask>>();
  readonly #work = new Set<Promise<void>>();
  readonly #alarm = new Alarm(() => this.#pass());
  readonly #storeRetries = new Set<NodeJS.Timeout>();
  #immediate: NodeJS.Immediate | undefined;
  #state: 'running' | 'draining' | 'stopped' = 'running';

  constructor(
    private readonly store: TaskStore,
    private readonly waiters: TaskWaiters,
    private readonly options: LocalTaskQueueOptions,
    private readonly source: HubErrorOptions,
    logger: StoreLogger,
  ) {
    this.#log = new TaskLog(logger);
    this.#fault = new StoreFault(logger, 'the task store');
  }

  /** What the store cannot do at the moment; `undefined` when it works. */
  get fault(): string | undefined {
    return this.#fault.current;
  }

  /** Attempts that run now. */
  get active(): number {
    return this.#runs.size;
  }

  /** Registers names, all or none. Throws `ALREADY_EXISTS`. */
  register(registrations: readonly TaskRegistration[]): void {
    const taken = registrations.filter(({ name }) => this.#registrations.has(name)).map(({ name }) => name);
    if (taken.length > 0) {
      throw new HubError(
        'ALREADY_EXISTS',
        `already registered as a task: ${taken.join(', ')}. Names have to be unique.`,
        {
          ...this.source,
        },
      );
    }
    for (const registration of registrations) this.#registrations.set(registration.name, registration);
    this.wake();
  }

  /** Whether somebody in this process can run `name`. */
  knows(name: string): boolean {
    return this.#registrations.has(name);
  }

  /** Names that run on `slots`. */
  names(slots: RunnerSlots): string[] {
    return [...this.#registrations.values()].filter((entry) => entry.slots === slots).map(({ name }) => name);
  }

  /** Looks for work soon. */
  wake(): void {
    if (this.#state === 'stopped') return;
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined;
      this.#pass();
    });
  }

  /** Asks a running task to stop. */
  cancel(taskId: string): void {
    this.#runs.get(taskId)?.stop('cancelled');
  }

  /** Starts nothing new and resolves when all that runs has ended and is stored. */
  async drain(): Promise<void> {
    if (this.#state === 'running') this.#state = 'draining';
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  /** Abandons what runs: its tasks stay in the store as started. */
  stop(): void {
    this.#state = 'stopped';
    this.#alarm.clear();
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    for (const timer of this.#storeRetries) clearTimeout(timer);
    for (const run of this.#runs.values()) run.abandon();
    this.#runs.clear();
    this.#work.clear();
  }

  #pass(): void {
    if (this.#state === 'stopped') return;
    try {
      const now = Date.now();
      this.store.promote(now);
      for (const taskId of this.store.expire(now)) this.waiters.notify(taskId, 'ended');
      if (this.#state === 'running') while (this.#startBest(now));
      const next = this.store.nextTime();
      if (next === undefined) this.#alarm.clear();
      else this.#alarm.set(next);
      this.#fault.worked('start tasks');
    } catch (error) {
      this.#fault.failed('start tasks', error);
      this.#alarm.set(Date.now() + STORE_RETRY);
    }
  }

  /** Starts the best tasks there is room for; whether there were any. */
  #startBest(now: number): boolean {
    const picked = this.#pick(now);
    if (picked.length === 0) return false;
    // Counted and committed before anything runs: a task that kills the process must not come back for ever.
    for (const task of this.store.claim(
      picked.map(({ seq }) => seq),
      now,
    )) {
      const registration = this.#registrations.get(task.name);
      if (registration !== undefined) this.#start(task, registration);
    }
    return true;
  }

  #pick(now: number): Candidate[] {
    const queueRoom = this.#queueRoom();
    const full = [...queueRoom].filter(([, room]) => room <= 0).map(([queue]) => queue);
    const room = new Map<RunnerSlots, number>();
    const candidates = [...this.#registrations.values()].flatMap(({ name, slots }) => {
      const free = slots.concurrency - slots.active;
      room.set(slots, free);
      return free > 0 ? this.store.candidates(name, free, full, now).map((task) => ({ ...task, slots })) : [];
    });
    candidates.sort((a, b) => b.priority - a.priority || a.seq - b.seq);
    return candidates.filter(({ queue, slots }) => {
      const free = room.get(slots) ?? 0;
      const inQueue = queueRoom.get(queue) ?? Infinity;
      if (free <= 0 || inQueue <= 0) return false;
      room.set(slots, free - 1);
      queueRoom.set(queue, inQueue - 1);
      return true;
    });
  }

  #queueRoom(): Map<string, number> {
    const room = new Map(Object.entries(this.options.queues));
    for (const { task } of this.#runs.values()) {
      const limit = room.get(task.queue);
      if (limit !== undefined) room.set(task.queue, limit - 1);
    }
    return room;
  }

  #start(task: ClaimedTask, registration: TaskRegistration): void {
    const { slots } = registration;
    slots.active += 1;
    const run = new TaskRun(task, registration, this.options.killGrace, (reporting, json, sequence) => {
      this.#report(reporting.task, json, sequence);
    });
    this.#runs.set(task.taskId, run);
    const work = this.#follow(run).finally(() => {
      slots.active -= 1;
      this.#runs.delete(task.taskId);
      this.#work.delete(work);
      this.wake();
    });
    this.#work.add(work);
  }

  async #follow(run: TaskRun<ClaimedTask>): Promise<void> {
    const end = await run.ended;
    if (end !== undefined) await this.#finish(run, end);
    await run.released;
  }

  #report({ seq, taskId, name, attempt }: ClaimedTask, json: string, sequence: number): void {
    if (this.#state === 'stopped') throw new HubError('CLOSED', 'the task queue has been shut down.', this.source);
    this.#checkSize(`the progress report of task "${name}"`, json);
    const data = JSON.parse(json) as JsonValue;
    if (!this.store.saveProgress(seq, { sequence, attempt, data, timestamp: Date.now() })) {
      throw new HubError('CONFLICT', `task ${taskId} has ended; it cannot report progress.`, this.source);
    }
    this.waiters.notify(taskId, 'progress');
  }

  /** Stores how an attempt ended; while the store refuses, tries again until it is shut down. */
  async #finish(run: TaskRun<ClaimedTask>, end: RunEnd): Promise<void> {
    while (this.#state !== 'stopped') {
      try {
        if (this.#save(run, end)) this.waiters.notify(run.task.taskId, 'ended');
        this.#fault.worked('store the end of tasks');
        return;
      } catch (error) {
        this.#fault.failed('store the end of tasks', error);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(() => {
            this.#storeRetries.delete(timer);
            resolve();
          }, STORE_RETRY);
          this.#storeRetries.add(timer);
        });
      }
    }
  }

  /** Whether the task has ended for good. */
  #save({ task, registration }: TaskRun<ClaimedTask>, end: RunEnd): boolean {
    const { seq, attempt, lost } = task;
    const now = Date.now();
    const fail = (error: TaskError): true => {
      this.store.fail(seq, error, now);
      this.#log.failed(task, error);
      return true;
    };
    switch (end.kind) {
      case 'success': {
        const fault = this.#oversize(task.name, end.json);
        if (fault !== undefined) return fail(fault);
        this.store.succeed(seq, end.json, now);
        return true;
      }
      case 'revoked':
        this.store.revoke(seq, end.message, now);
        return true;
      case 'lost': {
        if (lost + 1 >= this.options.attemptLimit) return fail(this.#lostTooOften(end.error));
        const delay = retryDelay(end.noThread === true ? NO_THREAD_BACKOFF : LOSS_BACKOFF, lost + 1);
        this.store.retry(seq, end.error, now + delay, true, now);
        this.#log.lost(task, end.error, delay);
        return false;
      }
      case 'failure': {
        const policy = task.retry ?? registration.options.retry ?? {};
        const failures = attempt - lost;
        if (end.retryable && failures < resolveRetry(policy).attempts) {
          const delay = retryDelay(policy, failures);
          this.store.retry(seq, end.error, now + delay, false, now);
          this.#log.retried(task, end.error, delay);
          return false;
        }
        fail(end.error);
        if (end.stillRuns === true) this.#log.stillRuns(task, registration.slots);
        return true;
      }
    }
  }

  #lostTooOften(error: TaskError): TaskError {
    return {
      ...error,
      message: `${error.message}. That was loss ${this.options.attemptLimit} of ${this.options.attemptLimit} (attemptLimit).`,
    };
  }

  #oversize(name: string, json: string): TaskError | undefined {
    try {
      this.#checkSize(`the result of task "${name}"`, json);
      return undefined;
    } catch (error) {
      return { type: 'PAYLOAD_INVALID', message: errorMessage(error) };
    }
  }

  #checkSize(what: string, json: string): void {
    const bytes = Buffer.byteLength(json);
    if (bytes > this.options.maxPayloadBytes) throw tooLarge(what, bytes, this.options.maxPayloadBytes, this.source);
  }
}
