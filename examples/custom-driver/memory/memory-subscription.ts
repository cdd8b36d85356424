import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataContext, Message, Subscription } from 'nestjs-experiment-hub/datastream';
import {
  retryDelay,
  runHandler,
  type HandlerOutcome,
  type ResolvedSubscribeOptions,
} from 'nestjs-experiment-hub/datastream/driver-kit';
import type { Entry, MemoryQueue } from './memory-queue.js';

/** How a subscription consumes. A consumer of single messages has batches of one that wait for nothing. */
export interface ConsumePlan extends Pick<ResolvedSubscribeOptions, 'name' | 'concurrency' | 'retry' | 'schema'> {
  size: number;
  /** In ms. */
  maxWait: number;
}

/** Which call of a handler we are in, so that a handler that closes its own subscription does not wait for itself. */
const currentWork = new AsyncLocalStorage<object>();

/** A consumer: takes messages when a handler is free and settles them by its outcome. */
export class MemorySubscription implements Subscription {
  readonly queue: string;
  readonly name: string;
  #state: Subscription['state'] = 'running';
  #scheduled = false;
  #since: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #running = new Map<object, Promise<void>>();
  readonly #abandoned = new AbortController();
  readonly #unlisten: () => void;

  constructor(
    private readonly source: MemoryQueue,
    private readonly plan: ConsumePlan,
    private readonly handler: (messages: Message[], context: DataContext) => Promise<void> | void,
  ) {
    this.queue = source.name;
    this.name = plan.name;
    this.#unlisten = source.listen(() => this.#schedule());
    this.#schedule();
  }

  get state(): Subscription['state'] {
    return this.#state;
  }

  async pause(): Promise<void> {
    if (this.#state === 'running') this.#state = 'paused';
  }

  async resume(): Promise<void> {
    if (this.#state === 'paused') this.#state = 'running';
    this.#schedule();
  }

  async close(): Promise<void> {
    this.stop();
    const own = currentWork.getStore();
    await Promise.all([...this.#running].flatMap(([work, done]) => (work === own ? [] : [done])));
  }

  /** Takes nothing more; handlers that run go on. */
  stop(): void {
    this.#state = 'closed';
    this.#unlisten();
    clearTimeout(this.#timer);
  }

  /** Stops, and tells the handlers that their time is over. */
  abandon(): void {
    this.stop();
    this.#abandoned.abort();
  }

  // A turn of the event loop lies between, so that a backlog does not starve everything else.
  #schedule(): void {
    if (this.#scheduled || this.#state === 'closed') return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    clearTimeout(this.#timer);
    if (this.#state !== 'running' || this.source.closed) return;
    const { concurrency, size, maxWait } = this.plan;
    for (;;) {
      const { ready } = this.source.counts();
      if (ready === 0) this.#since = undefined;
      else this.#since ??= Date.now();
      if (this.#since === undefined || this.#running.size >= concurrency) return;
      const left = this.#since + maxWait - Date.now();
      if (ready < size && left > 0) {
        this.#timer = setTimeout(() => this.#schedule(), left);
        return;
      }
      this.#since = undefined;
      this.#start(this.source.take(size));
    }
  }

  #start(entries: Entry[]): void {
    const work = {};
    const done = currentWork
      .run(work, () => this.#work(entries))
      .finally(() => {
        this.#running.delete(work);
        this.#schedule();
      });
    this.#running.set(work, done);
  }

  async #work(entries: Entry[]): Promise<void> {
    const { source, plan, handler } = this;
    const context = { signal: this.#abandoned.signal };
    const ended = await runHandler({
      held: entries,
      toMessage: (entry) => source.message(entry),
      schema: plan.schema,
      handle: (messages) => handler(messages, context),
    });
    for (const { held, outcome } of ended) this.#settle(held, outcome);
  }

  #settle(entry: Entry, outcome: HandlerOutcome): void {
    const { source, plan } = this;
    if (outcome.kind === 'ack') source.ack(entry);
    else if (outcome.kind === 'reject') source.bury(entry, 'rejected', outcome.detail);
    else if (entry.attempt < plan.retry.attempts) source.release(entry, retryDelay(plan.retry, entry.attempt));
    else source.bury(entry, 'failed', outcome.error instanceof Error ? outcome.error.message : String(outcome.error));
  }
}
