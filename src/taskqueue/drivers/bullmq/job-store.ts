import { setImmediate } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import { redisError, type RedisClients } from '../../../redis/index.js';
import type { CancelOutcome } from '../../taskqueue.types.js';
import type { NormalizedSubmission } from '../../taskqueue.validation.js';
import type { BullMQOptions } from './bullmq.options.js';
import { CANCEL_SCRIPT } from './cancel-script.js';
import { jobEntry } from './job-options.js';
import { RECORD_FIELDS, recordOf, REVOKED_MARK, type TaskRecord } from './job-record.js';
import { RedisKeys } from './redis-keys.js';
import { decodeTask } from './task-envelope.js';
import { TaskLocations, type TaskLocation } from './task-locations.js';

/** How long a request to stop a running task is kept, in ms. */
const CANCEL_TTL = 7 * 86_400_000;
/** Most tasks that are sent to Redis in one piece. */
const PART = 250;
/** How long the list of queues is taken as it was read, in ms. */
const QUEUES_TTL = 1_000;

/** The tasks in Redis: submits, finds and cancels them. Every call fails at once while there is no connection. */
export class JobStore {
  readonly keys: RedisKeys;
  /** Queues whose events are followed, as their follower says. */
  readonly followed = new Set<string>();
  readonly #queues = new Map<string, Queue>();
  readonly #locations = new TaskLocations();
  readonly #names: Set<string>;
  #namesRead = 0;

  constructor(
    private readonly clients: RedisClients,
    private readonly options: BullMQOptions,
    private readonly source: HubErrorOptions,
    private readonly onError: (error: Error) => void,
  ) {
    this.keys = new RedisKeys(options.prefix);
    this.#names = new Set([options.defaultQueue, ...Object.keys(options.queues)]);
  }

  /** BullMQ's own object for a queue. `UNAVAILABLE` while there is no connection. */
  queue(name: string): Queue {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    // One that is made while there is no connection stays unusable.
    this.clients.ensureUp();
    const queue = new Queue(name, {
      connection: this.clients.command,
      prefix: this.options.prefix,
      skipVersionCheck: true,
    });
    queue.on('error', this.onError);
    queue.waitUntilReady().catch(() => this.#queues.delete(name));
    this.#queues.set(name, queue);
    return queue;
  }

  /** Stores tasks: one queue's in one go, in order. */
  async submit(tasks: readonly NormalizedSubmission[], now: number): Promise<void> {
    const [only] = tasks;
    // Before they are sent: an event of their end may come before the answer.
    for (const task of tasks) if (task.generated) this.#place(task);
    await this.#run(async () => {
      if (tasks.length === 1 && only !== undefined) {
        const queue = await this.#announced(only.queue ?? this.options.defaultQueue);
        const { job, jobId } = jobEntry(only, this.options, now);
        await queue.getBackend().addJob(job, jobId);
        return;
      }
      for (const [name, group] of this.#byQueue(tasks)) await this.#submitBulk(await this.#announced(name), group, now);
    });
    for (const task of tasks) {
      // A known id may be of a task that was there before, in whichever queue.
      const { queue = this.options.defaultQueue } = task;
      if (!task.generated && this.#locations.get(task.taskId)?.queue !== queue) this.#place(task);
    }
  }

  /** The task of an id, wherever it is. */
  async find(taskId: string): Promise<TaskRecord | undefined> {
    return this.#run(async () => {
      const known = this.#locations.get(taskId);
      const record = known === undefined ? undefined : await this.#read(taskId, known);
      if (record !== undefined) return record;
      for (const queue of await this.queueNames()) {
        const location = queue === known?.queue ? undefined : await this.#locate(taskId, queue);
        if (location === undefined) continue;
        const found = await this.#read(taskId, location);
        if (found !== undefined) return found;
      }
      return undefined;
    });
  }

  /**
   * As {@link find}, for who waits for the end: the state of a task that goes on may be behind what it is. One command where
   * {@link find} takes four.
   */
  async findEnd(taskId: string): Promise<TaskRecord | undefined> {
    const location = this.#locations.get(taskId);
    if (location === undefined) return this.find(taskId);
    const { queue, expires } = location;
    const fields = await this.#run(() => this.clients.command.hmget(this.keys.of(queue, taskId), ...RECORD_FIELDS));
    const record = recordOf(taskId, queue, fields, false, expires);
    if (record === undefined) return this.find(taskId);
    // By its fields alone, one that a worker holds looks like one that waits, which may have waited for too long.
    const unsure = record.state === 'REVOKED' && fields[RECORD_FIELDS.indexOf('finishedOn')] === null;
    return unsure ? this.find(taskId) : record;
  }

  /** Whether the id was made by this process, so that no other task can have had it. */
  owns(taskId: string): boolean {
    return this.#locations.get(taskId)?.own === true;
  }

  /**
   * Whether nothing has to be read to know that a task runs: its id was made here, the events of its queue were followed
   * before it was sent, and none told of its end. One that expires may end without an event.
   */
  isQuiet(taskId: string): boolean {
    const location = this.#locations.get(taskId);
    return location?.own === true && location.quiet === true && location.expires === undefined;
  }

  /** Notes that an event told of the end of a task. */
  heardEnd(taskId: string): void {
    const location = this.#locations.get(taskId);
    if (location !== undefined) location.quiet = false;
  }

  /** Whether this process has had to do with a task of this id. */
  knew(taskId: string): boolean {
    return this.#locations.get(taskId) !== undefined;
  }

  /** The queue of a task, as far as this process knows. */
  queueOf(taskId: string): string | undefined {
    return this.#locations.get(taskId)?.queue;
  }

  /**
   * For each id the time of its end and its last report, as they are stored: what changes while somebody waits. `undefined`
   * for an id whose place is not known; fields of `null` for a job that is gone.
   */
  async glance(taskIds: readonly string[]): Promise<(string | undefined)[]> {
    return this.#run(async () => {
      const pipeline = this.clients.command.pipeline();
      const now = Date.now();
      const asked = taskIds.map((taskId) => {
        const location = this.#locations.get(taskId);
        if (location !== undefined) {
          pipeline.hmget(this.keys.of(location.queue, taskId), 'name', 'finishedOn', 'progress', 'defa');
        }
        return location;
      });
      const answers = (await pipeline.exec()) ?? [];
      let next = 0;
      return asked.map((location) => {
        if (location === undefined) return undefined;
        const [error, values] = answers[next++] ?? [];
        if (error) throw error;
        return JSON.stringify([values, location.expires !== undefined && location.expires <= now]);
      });
    });
  }

  /** Cancels a task in one step. `undefined`: no such id. */
  async cancel(taskId: string): Promise<CancelOutcome | undefined> {
    const record = await this.find(taskId);
    if (record === undefined) return undefined;
    if (record.finishedAt !== null) return 'finished';
    const { queue } = record;
    const reason = `${REVOKED_MARK}it was cancelled before it started`;
    const parts = ['wait', 'paused', 'delayed', 'prioritized', 'waiting-children', 'failed', 'events'];
    const keys = [
      this.keys.of(queue, taskId),
      this.keys.lock(queue, taskId),
      ...parts.map((part) => this.keys.of(queue, part)),
      this.keys.cancels,
    ];
    const args = [taskId, reason, Date.now(), CANCEL_TTL, '[]'];
    return this.#run(async () => {
      const outcome = await this.clients.command.eval(CANCEL_SCRIPT, keys.length, ...keys, ...args);
      return (outcome ?? undefined) as CancelOutcome | undefined;
    });
  }

  /** Every queue that a task may be in: those of this process, and those that anybody submitted to. */
  async queueNames(): Promise<string[]> {
    if (Date.now() - this.#namesRead > QUEUES_TTL) {
      for (const name of await this.clients.command.smembers(this.keys.queues)) this.#names.add(name);
      this.#namesRead = Date.now();
    }
    return [...this.#names];
  }

  /** Lets go of the queues; their connection is the clients'. */
  async close(): Promise<void> {
    const queues = [...this.#queues.values()];
    this.#queues.clear();
    await Promise.all(queues.map((queue) => queue.close().catch(() => undefined)));
  }

  /** A queue to submit to, noted for those who look for a task that they did not submit. */
  async #announced(name: string): Promise<Queue> {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    await this.clients.command.sadd(this.keys.queues, name);
    this.#names.add(name);
    return this.queue(name);
  }

  #byQueue(tasks: readonly NormalizedSubmission[]): Map<string, NormalizedSubmission[]> {
    const groups = new Map<string, NormalizedSubmission[]>();
    for (const task of tasks) {
      const queue = task.queue ?? this.options.defaultQueue;
      const group = groups.get(queue);
      if (group === undefined) groups.set(queue, [task]);
      else group.push(task);
    }
    return groups;
  }

  /** Sends part after part on one connection, which keeps their order, and resolves when all of them are answered. */
  async #submitBulk(queue: Queue, tasks: readonly NormalizedSubmission[], now: number): Promise<void> {
    const sent: Promise<unknown>[] = [];
    let fault: { error: unknown } | undefined;
    for (let at = 0; at < tasks.length && fault === undefined; at += PART) {
      const entries = tasks.slice(at, at + PART).map((task) => jobEntry(task, this.options, now));
      const answered = queue.getBackend().addJobs(entries);
      sent.push(answered.catch((error: unknown) => (fault ??= { error })));
      // Redis works on this part while the next one is made, and so does whatever else waits for the event loop.
      if (at + PART < tasks.length) await setImmediate();
    }
    await Promise.all(sent);
    if (fault !== undefined) throw fault.error;
  }

  #place({ taskId, generated, queue = this.options.defaultQueue, expires }: NormalizedSubmission): void {
    const location: TaskLocation = { queue, own: generated, quiet: this.followed.has(queue) };
    if (expires !== null) location.expires = expires;
    this.#locations.set(taskId, location);
  }

  async #locate(taskId: string, queue: string): Promise<TaskLocation | undefined> {
    const data = await this.clients.command.hget(this.keys.of(queue, taskId), 'data');
    if (data === null) return undefined;
    const { expires } = decodeTask(JSON.parse(data));
    const location = { queue, ...(expires === undefined ? {} : { expires }) };
    this.#locations.set(taskId, location);
    return location;
  }

  async #read(taskId: string, { queue, expires }: TaskLocation): Promise<TaskRecord | undefined> {
    // As one: a job that ends in between would look like one that waits.
    const answers = await this.clients.command
      .multi()
      .hmget(this.keys.of(queue, taskId), ...RECORD_FIELDS)
      .exists(this.keys.lock(queue, taskId))
      .exec();
    const [fields, locked] = (answers ?? []).map(([error, value]) => {
      if (error) throw error;
      return value;
    });
    return recordOf(taskId, queue, (fields ?? []) as (string | null)[], locked === 1, expires);
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    this.clients.ensureUp();
    try {
      return await work();
    } catch (error) {
      throw HubError.is(error) ? error : redisError(error, this.source);
    }
  }
}
