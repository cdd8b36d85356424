import { sleep } from '../../../core/deadline.js';
import { StoreFault } from '../../../embedded/store-fault.js';
import type { DataContext, Message, Subscription } from '../../datastream.types.js';
import { runHandler, type HandlerOutcome } from '../../handler-outcome.js';
import { HandlerRuns } from '../../handler-runs.js';
import { messageFate } from '../../message-fate.js';
import type { ResolvedSubscribeOptions } from '../../subscribe.validation.js';
import { toMessage, type StoredMessage } from './stored-message.js';
import type { Settled, StreamEngine } from './stream-engine.js';
import type { StoredQueue } from './stream-store.js';

/** Wait before a store that failed is tried again, in ms. */
const STORE_RETRY_MS = 1_000;

/** How the messages of a subscription are handled. */
type HandlingPlan = Pick<ResolvedSubscribeOptions, 'name' | 'retry' | 'schema' | 'observer'>;

/**
 * A consumer: hands messages to a handler as they become ready, and settles them by its outcome. Messages are taken from
 * the store only when a handler is free, so that none is held (and none counts an attempt) without being worked on.
 */
export abstract class LocalSubscription implements Subscription {
  readonly queue: string;
  readonly name: string;
  readonly #fault: StoreFault;
  #state: Subscription['state'] = 'running';
  #scheduled = false;
  readonly #runs: HandlerRuns;
  readonly #unlisten: () => void;
  readonly #closing = new AbortController();
  // Like a connection to a broker, an open consumer keeps the process alive.
  readonly #keepAlive = setInterval(() => undefined, 2 ** 30);

  protected constructor(
    protected readonly engine: StreamEngine,
    protected readonly stored: StoredQueue,
    private readonly plan: HandlingPlan,
  ) {
    this.queue = stored.name;
    this.name = plan.name;
    const owner = `subscription "${plan.name}" of queue "${stored.name}"`;
    this.#runs = new HandlerRuns(owner, engine.logger);
    this.#fault = new StoreFault(engine.logger, `the ${owner}`);
    this.#unlisten = engine.listen(stored, () => this.schedule());
    this.schedule();
  }

  get state(): Subscription['state'] {
    return this.#state;
  }

  /** What it cannot do at the moment; `undefined` when it works. */
  get fault(): string | undefined {
    return this.#fault.current;
  }

  async pause(): Promise<void> {
    if (this.#state === 'running') this.#state = 'paused';
  }

  async resume(): Promise<void> {
    if (this.#state === 'paused') this.#state = 'running';
    this.schedule();
  }

  async close(): Promise<void> {
    this.stop();
    await this.#runs.othersEnded();
  }

  /** Takes nothing more; handlers that run go on. */
  stop(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#unlisten();
    clearInterval(this.#keepAlive);
    this.#closing.abort();
    this.#runs.stop();
    this.onStop();
  }

  /** Stops and tells the handlers that run; what they do is no longer settled. */
  abandon(): void {
    this.stop();
    this.#runs.abandon();
  }

  /** Looks for work soon. A turn of the event loop lies between, so that a backlog does not starve everything else. */
  protected schedule(): void {
    if (this.#scheduled || this.#state === 'closed') return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /** Whether it is closed and its handlers have ended. */
  get over(): boolean {
    return this.#state === 'closed' && this.#runs.size === 0;
  }

  /** How many handlers run. */
  protected get running(): number {
    return this.#runs.size;
  }

  /** Takes what can be worked on now: each entry is one call of the handler. */
  protected abstract next(): StoredMessage[][];

  protected abstract handle(messages: Message[], context: DataContext): Promise<void> | void;

  protected onStop(): void {}

  #pump(): void {
    if (this.#state !== 'running' || this.engine.closed) return;
    try {
      for (const messages of this.next()) this.#start(messages);
      this.#fault.worked('take messages');
    } catch (error) {
      this.#fault.failed('take messages', error);
      setTimeout(() => this.schedule(), STORE_RETRY_MS).unref();
    }
  }

  #start(stored: StoredMessage[]): void {
    this.#runs.start(
      stored,
      () => this.#work(stored),
      () => this.schedule(),
    );
  }

  async #work(stored: StoredMessage[]): Promise<void> {
    const context = { signal: this.#runs.signal };
    const handle = (messages: Message[]): Promise<void> | void => this.handle(messages, context);
    const ended = await runHandler({ held: stored, toMessage, schema: this.plan.schema, handle });
    await this.#settle(ended.map(({ held, outcome }) => this.#settled(held, outcome)));
  }

  #settled({ seq, attempt, messageId, spared }: StoredMessage, outcome: HandlerOutcome): Settled {
    const { retry, observer } = this.plan;
    const closed = this.#state === 'closed';
    const fate = messageFate(outcome, { failures: attempt - spared, retry, closed, observer });
    const delivery = { seq, attempt, messageId };
    switch (fate.kind) {
      case 'ack':
        return { ...delivery, settlement: { kind: 'ack' } };
      case 'release':
        return { ...delivery, settlement: { kind: 'release', delay: 0, spared: true } };
      case 'retry':
        return { ...delivery, settlement: { kind: 'release', delay: fate.delay } };
      case 'bury':
        return { ...delivery, settlement: { kind: 'bury', reason: fate.reason, detail: fate.detail } };
    }
  }

  /** Tries until the store takes it, the subscription closes, or the epoch ends: then the message comes again. */
  async #settle(settled: Settled[]): Promise<void> {
    while (!this.engine.closed) {
      try {
        this.engine.settle(this.stored, settled);
        this.#fault.worked('settle messages');
        return;
      } catch (error) {
        this.#fault.failed('settle messages', error);
        if (this.#state === 'closed') return;
        await sleep(STORE_RETRY_MS, this.#closing.signal).catch(() => undefined);
      }
    }
  }
}
