import { randomUUID } from 'node:crypto';
import { HubError, type HubErrorOptions } from '../../../../core/errors.js';
import type { JsonObject } from '../../../../core/json.js';
import type { TaskProgress } from '../../../taskqueue.types.js';
import type { AmqpBroker } from '../broker/amqp-broker.js';
import type { AmqpInbox } from '../broker/amqp-inbox.js';
import type { CeleryOptions } from '../celery.options.js';
import { isFinal } from '../celery-record.js';
import type { ResultBackend, ResultListener, StoredTask } from './result-backend.js';
import { ResultListeners } from './result-listeners.js';
import { progressOf, readMeta, type ResultMeta } from './result-meta.js';

/** Most tasks whose latest state is kept here. */
const KEPT = 20_000;

/** What is known of a task. */
interface KnownResult {
  meta: ResultMeta;
  attempt: number | undefined;
  /** Latest report; later states do not hold it. */
  progress: TaskProgress | undefined;
}

/**
 * Celery's `rpc://` results: workers send each state to a queue of this plugin, and nobody else can read it. The latest
 * 20 000 are kept in memory. https://docs.celeryq.dev/en/stable/userguide/tasks.html#rpc-result-backend-rabbitmq-qpid
 */
export class RpcResults implements ResultBackend {
  readonly durable = false;
  readonly replyTo: string;
  readonly #listeners = new ResultListeners();
  readonly #known = new Map<string, KnownResult>();
  readonly #inbox: AmqpInbox;

  constructor(
    broker: AmqpBroker,
    options: Pick<CeleryOptions, 'resultExpires' | 'resultQueue'>,
    private readonly source: HubErrorOptions,
  ) {
    this.replyTo = options.resultQueue ?? randomUUID();
    this.#inbox = broker.inbox(
      {
        queue: this.replyTo,
        // Durable and not exclusive, so that results are kept while the connection is lost, and the broker restarts.
        options: { durable: true, autoDelete: false, expires: options.resultExpires },
        kept: options.resultQueue !== undefined,
        bindings: [],
      },
      (content) => this.#heard(content.toString()),
    );
  }

  get followed(): number {
    return this.#listeners.size;
  }

  async open(): Promise<void> {
    await this.#inbox.attach();
  }

  async note(): Promise<void> {
    // Nobody else could read it.
  }

  async unnote(): Promise<void> {
    // There are none.
  }

  async read(taskId: string): Promise<StoredTask> {
    return this.#known.get(taskId) ?? {};
  }

  async follow(taskId: string, listener: ResultListener): Promise<() => void> {
    this.#listeners.add(taskId, listener);
    return () => void this.#listeners.remove(taskId, listener);
  }

  async forget(taskIds: readonly string[]): Promise<void> {
    for (const taskId of taskIds) this.#known.delete(taskId);
  }

  async check(): Promise<JsonObject> {
    const { fault } = this.#inbox;
    if (fault === undefined) return { followed: this.followed };
    throw new HubError('UNAVAILABLE', `the queue of results is not consumed: ${fault}.`, this.source);
  }

  async close(): Promise<void> {
    await this.#inbox.close();
    this.#known.clear();
  }

  #heard(text: string): void {
    const meta = readMeta(text);
    if (meta === undefined) return;
    const before = this.#known.get(meta.taskId);
    // As in Redis: what comes after a success is older, or the task ran twice. A RETRY can come after its task's end.
    if (before?.meta.state === 'SUCCESS' || (isFinal(before?.meta) && !isFinal(meta))) return;
    this.#known.delete(meta.taskId);
    const progress = progressOf(meta) ?? before?.progress;
    this.#known.set(meta.taskId, { meta, attempt: meta.attempt ?? before?.attempt, progress });
    const [oldest] = this.#known.size > KEPT ? this.#known.keys() : [];
    if (oldest !== undefined) this.#known.delete(oldest);
    this.#listeners.tell(meta.taskId, meta);
  }
}
