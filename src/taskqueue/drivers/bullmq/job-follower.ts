import { QueueEvents } from 'bullmq';
import { HubError } from '../../../core/errors.js';
import type { JsonValue } from '../../../core/json.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import { faultText, type RedisClients } from '../../../redis/index.js';
import { TaskWaiters, type TaskChange } from '../../runner/task-waiters.js';
import type { JobStore } from './job-store.js';

/** How often waited-for tasks are looked at beside the events, in ms. */
const LOOK = 1_000;
/** Most tasks of one look; with more of them each is looked at less often. */
const LOOK_AT = 500;

/** A task that is waited for. */
interface Waited {
  count: number;
  /** What the last look saw. */
  seen: string | undefined;
  /** What an event said of its end, until somebody takes it. */
  result?: { value: JsonValue };
}

/**
 * Tells who waits for which task of a change: by one stream of events per queue, however many wait, and by looking at the
 * tasks now and then, since events can be missed (an outage, a trimmed stream, a worker that writes none).
 */
export class JobFollower {
  readonly #waiters = new TaskWaiters();
  readonly #streams = new Map<string, Promise<QueueEvents | undefined>>();
  /** The order is that of the looks. */
  readonly #waited = new Map<string, Waited>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly store: JobStore,
    private readonly clients: RedisClients,
    private readonly prefix: string,
    private readonly logger: StoreLogger,
  ) {}

  /** How many tasks are waited for. */
  get size(): number {
    return this.#waited.size;
  }

  /** Calls `listener` at changes of a task, some of them of no consequence, until the returned function is called. */
  listen(taskId: string, listener: (change: TaskChange) => void): () => void {
    const stop = this.#waiters.listen(taskId, listener);
    const waited: Waited = this.#waited.get(taskId) ?? { count: 0, seen: undefined };
    waited.count += 1;
    this.#waited.set(taskId, waited);
    this.#schedule();
    return () => {
      stop();
      waited.count -= 1;
      if (waited.count === 0 && this.#waited.get(taskId) === waited) this.#waited.delete(taskId);
    };
  }

  /** Resolves when the events of the queue are followed, from before now; while Redis is away, at once. */
  async follow(queue: string): Promise<void> {
    const known = this.#streams.get(queue);
    if (known !== undefined) {
      await known;
      return;
    }
    const opening = this.#open(queue).catch((error: unknown) => {
      this.#streams.delete(queue);
      this.logger.debug(`the events of queue "${queue}" cannot be followed: ${faultText(error)}`);
      return undefined;
    });
    this.#streams.set(queue, opening);
    await opening;
  }

  /**
   * The result that an event has told while somebody listened to the task, once: a second one who waits reads the record, so
   * that no two get the same object.
   */
  takeResult(taskId: string): { value: JsonValue } | undefined {
    const waited = this.#waited.get(taskId);
    const result = waited?.result;
    if (result !== undefined) delete waited?.result;
    return result;
  }

  /**
   * Tells of the success of a task: by an event, or earlier by the worker of this process that has stored it.
   * @param value what is stored as the result, in an object of its own
   */
  completed(taskId: string, value: JsonValue): void {
    this.store.heardEnd(taskId);
    const waited = this.#waited.get(taskId);
    if (waited === undefined) return;
    // Events come late after an outage: one of an id that its caller chose may be of a task that had it before.
    if (this.store.owns(taskId)) waited.result = { value };
    this.notify(taskId, 'ended');
  }

  /** Tells of a change that this process has made. */
  notify(taskId: string, change: TaskChange): void {
    this.#waiters.notify(taskId, change);
  }

  /** Tells everybody that nothing will come any more, and lets go of the streams. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#waiters.close();
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    this.store.followed.clear();
    await Promise.all(streams.map(async (stream) => (await stream)?.close().catch(() => undefined)));
  }

  async #open(queue: string): Promise<QueueEvents> {
    this.clients.ensureUp();
    // From the last event on: with BullMQ's own start, at the first read, what happens until then would be missed.
    const [latest] = await this.clients.command.xrevrange(this.store.keys.of(queue, 'events'), '+', '-', 'COUNT', 1);
    if (this.#closed) throw new HubError('CLOSED', 'the plugin has been shut down.');
    const events = new QueueEvents(queue, {
      connection: this.clients.patient,
      prefix: this.prefix,
      skipVersionCheck: true,
      lastEventId: latest?.[0] ?? '0-0',
    });
    events.on('error', (error) => {
      // An outage is told once, by the connection.
      if (this.clients.up) this.logger.debug(`events of queue "${queue}": ${faultText(error)}`);
    });
    events.on('completed', ({ jobId, returnvalue }) => this.completed(jobId, returnvalue as JsonValue));
    for (const name of ['failed', 'removed'] as const) {
      events.on(name, ({ jobId }: { jobId: string }) => {
        this.store.heardEnd(jobId);
        this.notify(jobId, 'ended');
      });
    }
    events.on('progress', ({ jobId }) => this.notify(jobId, 'progress'));
    this.store.followed.add(queue);
    return events;
  }

  #schedule(): void {
    if (this.#closed || this.#timer !== undefined || this.#waited.size === 0) return;
    this.#timer = setTimeout(() => void this.#look(), LOOK);
  }

  async #look(): Promise<void> {
    const ids = [...this.#waited.keys()].slice(0, LOOK_AT);
    try {
      const glances = await this.store.glance(ids);
      ids.forEach((taskId, index) => {
        const waited = this.#waited.get(taskId);
        if (waited === undefined) return;
        // To the end of the line.
        this.#waited.delete(taskId);
        this.#waited.set(taskId, waited);
        const glance = glances[index];
        if (glance !== undefined && glance === waited.seen) return;
        waited.seen = glance;
        this.notify(taskId, 'ended');
      });
    } catch (error) {
      this.logger.debug(`waited-for tasks cannot be looked at: ${faultText(error)}`);
    }
    this.#timer = undefined;
    this.#schedule();
  }
}
