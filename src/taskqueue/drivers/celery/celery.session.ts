import { hostname } from 'node:os';
import type { HubErrorOptions } from '../../../core/errors.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import type { NormalizedSubmission } from '../../taskqueue.validation.js';
import type { CeleryBroker } from './broker/celery-broker.js';
import { TaskRoutes, type TaskRoute } from './broker/task-route.js';
import { celeryConnections } from './celery.connections.js';
import type { CeleryOptions } from './celery.options.js';
import { celeryRecord, isFinal, type CeleryRecord } from './celery-record.js';
import { KnownTasks } from './known-tasks.js';
import { taskMessage, type TaskMessageExtras, type TaskMessageStyle } from './message/task-message.js';
import type { ResultBackend, StoredTask, SubmitNote } from './results/result-backend.js';

/** How long what was sent before a shutdown may take to be confirmed, in ms. */
const LAST_CONFIRMS = 2_000;

/** A task on its way out. */
export interface OutgoingTask {
  task: NormalizedSubmission;
  extras?: TaskMessageExtras;
  /** Default: as its queue or its name says. */
  route?: TaskRoute;
  /** Whether the caller chose the id, which something may be stored under already. */
  ownId: boolean;
}

/** What is open between `initialize()` and `shutdown()`. */
export class CelerySession {
  readonly known = new KnownTasks();
  readonly routes: TaskRoutes;
  readonly style: TaskMessageStyle;
  readonly #closing = new AbortController();
  readonly #waiting = new Set<() => void>();
  #warned = false;

  private constructor(
    readonly broker: CeleryBroker,
    readonly results: ResultBackend,
    private readonly options: CeleryOptions,
    private readonly logger: StoreLogger,
    readonly source: HubErrorOptions,
  ) {
    this.routes = new TaskRoutes(options);
    const { appName, timezone, showArguments } = options;
    const origin = `${appName}:${process.pid}@${hostname()}`;
    this.style = { origin, replyTo: results.replyTo, timezone, showArguments };
  }

  /** Connects. Leaves nothing open when it rejects. */
  static async open(options: CeleryOptions, logger: StoreLogger, source: HubErrorOptions): Promise<CelerySession> {
    const { broker, results } = await celeryConnections(options, logger, source);
    try {
      await broker.open();
      await results.open();
    } catch (error) {
      await Promise.all([broker.close(), results.close()]);
      throw error;
    }
    return new CelerySession(broker, results, options, logger, source);
  }

  /** Whether it is closed, or about to be. */
  get closing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Fires when it closes. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Calls `wake` when it closes; ten thousand may wait, for which a signal's list of listeners is not made. */
  onClosing(wake: () => void): void {
    this.#waiting.add(wake);
  }

  offClosing(wake: () => void): void {
    this.#waiting.delete(wake);
  }

  /** Sends tasks, and resolves when the broker has confirmed all of them. */
  async submit(
    tasks: readonly OutgoingTask[],
    now: number,
    { operation, signal }: { operation: string; signal?: AbortSignal | undefined },
  ): Promise<void> {
    const source = { ...this.source, operation };
    const notes = new Map<string, SubmitNote>();
    const routed = tasks.map(({ task, extras = {}, route = this.routes.find(task.name, task.queue) }) => {
      const { taskId, name, due } = task;
      // A time that is long past does not make the result an old one.
      const note = { name, queue: route.queue, submittedAt: now, due: Math.max(now, due) };
      if (extras.ignoreResult !== true) notes.set(taskId, note);
      const message = taskMessage(task, extras, this.style, now, source);
      this.#warnOfDelay(task, now);
      return { message, route };
    });
    // What is stored of a success stays, and would be taken for the result of the task that is sent now.
    const reused = tasks.filter(({ ownId }) => ownId).map(({ task }) => task.taskId);
    if (reused.length > 0) await this.results.forget(reused);
    // At the same time, so that it takes no time of its own.
    const noted = this.options.trackSubmits && notes.size > 0 ? this.results.note(notes) : undefined;
    try {
      await this.broker.publish(routed, { operation, signal });
    } catch (error) {
      await noted?.then(() => this.results.unnote([...notes.keys()]));
      throw error;
    }
    for (const [taskId, note] of notes) this.known.submitted(taskId, note);
    await noted;
  }

  /** The task as it is stored; reads it. */
  async find(taskId: string): Promise<CeleryRecord> {
    return this.record(taskId, await this.results.read(taskId));
  }

  /** The task of which this is stored. */
  record(taskId: string, stored: StoredTask): CeleryRecord {
    if (isFinal(stored.meta)) this.known.ended(taskId);
    return celeryRecord(taskId, stored, this.known.get(taskId), this.options.resultExpires);
  }

  /** Waits for the confirmation of what was sent. */
  async drain(): Promise<void> {
    await this.broker.flush(this.options.publishTimeout);
  }

  /** Tells who waits, and closes every connection. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const wake of [...this.#waiting]) wake();
    await this.broker.flush(LAST_CONFIRMS).catch(() => undefined);
    await this.results.close();
    await this.broker.close();
  }

  /** A worker holds a task without acking it until its time comes; a broker that gives it up delivers it again. */
  #warnOfDelay({ name, due }: NormalizedSubmission, now: number): void {
    const { transport } = this.broker;
    const limit = transport === 'amqp' ? this.options.consumerTimeout : this.options.visibilityTimeout;
    if (this.#warned || due - now <= limit) return;
    this.#warned = true;
    const setting = transport === 'amqp' ? "RabbitMQ's consumer_timeout" : 'the visibility_timeout';
    this.logger.warn(
      `task "${name}" is to start in ${due - now} ms, which is later than ${setting} (${limit} ms): workers that hold it ` +
        'get it again and may run it more than once. Raise the timeout on all sides, or submit it later.',
    );
  }
}
