import { randomUUID } from 'node:crypto';
import type { ConsumeMessage } from 'amqplib';
import { sleep } from '../../../core/deadline.js';
import { errorMessage, HubError } from '../../../core/errors.js';
import { retryDelay, type ResolvedRetryPolicy } from '../../../core/retry.js';
import type { StandardSchemaV1 } from '../../../core/standard-schema.js';
import { StoreFault } from '../../../embedded/store-fault.js';
import type { DataContext, Message, Subscription } from '../../datastream.types.js';
import { runHandler, type HandlerOutcome } from '../../handler-outcome.js';
import { HandlerRuns } from '../../handler-runs.js';
import type { ConsumerContext } from './consumer-context.js';
import type { LiveChannel } from './live-channel.js';
import { decodeMessage } from './message-decoder.js';
import type { Held } from './settlement.js';

/** What the two kinds of subscriptions have in common. */
export interface ConsumerOptions {
  name: string;
  prefetch: number;
  retry: ResolvedRetryPolicy;
  schema: StandardSchemaV1 | undefined;
}

/** Calls a handler with messages that fit their schema. */
type Handle = (messages: Message[], context: DataContext) => Promise<void> | void;

/**
 * A consumer on a channel of its own. It is attached again whenever it is not, as long as it runs: after the connection,
 * its channel or (when the broker cancels it) the queue was lost.
 */
export abstract class RabbitSubscription implements Subscription {
  readonly name: string;
  #state: Subscription['state'] = 'running';
  #live: LiveChannel | undefined;
  #tag = '';
  #attaching: Promise<void> | undefined;
  #detaching: Promise<void> | undefined;
  protected held: Held[] = [];
  protected readonly runs: HandlerRuns;
  readonly #fault: StoreFault;
  readonly #closing = new AbortController();

  protected constructor(
    protected readonly context: ConsumerContext,
    readonly queue: string,
    private readonly consumer: ConsumerOptions,
  ) {
    const { name } = consumer;
    this.name = name;
    const owner = `subscription "${name}" of queue "${queue}"`;
    this.runs = new HandlerRuns(owner, context.logger);
    this.#fault = new StoreFault(context.logger, `the ${owner}`);
  }

  get state(): Subscription['state'] {
    return this.#state;
  }

  /** Why it gets no messages at the moment, although it should; `undefined` when it works, or is paused or closed. */
  get fault(): string | undefined {
    if (this.#state !== 'running') return undefined;
    return this.#fault.current ?? (this.#live === undefined ? 'is not attached to its queue' : undefined);
  }

  /** Whether it is closed and its handlers have ended. */
  get over(): boolean {
    return this.#state === 'closed' && this.runs.size === 0;
  }

  /** Attaches it for the first time; rejects when that is not possible, and then it is closed. */
  async start(): Promise<void> {
    try {
      await this.#attach();
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  async pause(): Promise<void> {
    if (this.#state !== 'running') return;
    this.#state = 'paused';
    await this.#detach();
  }

  async resume(): Promise<void> {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    await this.#detaching;
    await this.#reattach();
  }

  async close(): Promise<void> {
    await this.cancel();
    await this.runs.othersEnded();
  }

  /** Takes nothing more; handlers that run go on, and the channel closes after them. */
  stop(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.runs.stop();
    this.#closing.abort();
    this.onStop();
    void this.#detach();
  }

  /** Stops, and resolves when the broker delivers nothing more. */
  async cancel(): Promise<void> {
    this.stop();
    await this.#detaching;
  }

  /** Stops and tells the handlers that run; what they do is no longer settled. */
  abandon(): void {
    this.stop();
    this.runs.abandon();
  }

  /** Looks for work among what is held. */
  protected abstract pump(): void;

  protected onStop(): void {}

  /** Starts the handler on messages that are held no more; what it throws decides on what becomes of them. */
  protected run(batch: Held[], handle: Handle): void {
    this.runs.start(
      batch.map(messageOf),
      () => this.#work(batch, handle),
      () => this.pump(),
    );
  }

  /** Settles messages, again and again until it works or their channel is gone. */
  protected async settle(held: Held, work: (held: Held) => Promise<boolean> | boolean): Promise<void> {
    for (let attempt = 1; held.live.open; attempt += 1) {
      try {
        await work(held);
        this.#fault.worked('settle messages');
        return;
      } catch (error) {
        this.#fault.failed('settle messages', error);
        await sleep(retryDelay(this.context.reconnect, attempt), this.runs.signal).catch(() => undefined);
        if (this.runs.signal.aborted) return;
      }
    }
  }

  async #work(batch: Held[], handle: Handle): Promise<void> {
    const context = { signal: this.runs.signal };
    const ended = await runHandler({
      held: batch,
      toMessage: messageOf,
      schema: this.consumer.schema,
      handle: (messages) => handle(messages, context),
    });
    const failed: Promise<void>[] = [];
    for (const { held, outcome } of ended) {
      if (outcome.kind === 'ack') this.context.settlement.ack(held);
      else failed.push(this.settle(held, (one) => this.#failed(one, outcome)));
    }
    if (failed.length > 0) await Promise.all(failed);
  }

  /** What becomes of a message whose handler has thrown, or which does not fit the schema. */
  #failed(held: Held, outcome: Exclude<HandlerOutcome, { kind: 'ack' }>): Promise<boolean> | boolean {
    const { settlement } = this.context;
    if (outcome.kind === 'reject') return settlement.bury(held, 'rejected', outcome.detail, outcome.detail);
    const { error } = outcome;
    // A handler that gives up because everything closes has not failed at its message.
    if (this.#state === 'closed' && HubError.is(error, 'ABORTED', 'CLOSED')) return settlement.giveBack(held);
    const detail = errorMessage(error);
    const failures = held.received.failureCount + 1;
    const { retry } = this.consumer;
    if (failures < retry.attempts) return this.#retry(held, retryDelay(retry, failures), detail);
    return settlement.bury(held, 'failed', detail, detail);
  }

  async #retry(held: Held, delay: number, detail: string): Promise<boolean> {
    const { settlement } = this.context;
    try {
      return await settlement.again(held, delay, detail);
    } catch (error) {
      if (!HubError.is(error, 'NOT_FOUND')) throw error;
      // Whoever owns the topology has made no queue for this delay: the message waits in hand.
      await sleep(delay, this.runs.signal);
      return settlement.again(held, 0, detail);
    }
  }

  async #attach(): Promise<void> {
    const live = await this.context.openChannel(this.queue, (closed) => this.#lost(closed));
    this.#live = live;
    try {
      await this.context.withinDeadline(live.channel.prefetch(this.consumer.prefetch));
      if (this.#state !== 'running') return this.#release(live);
      this.#tag = `${this.context.consumerTag}-${randomUUID()}`;
      const options = { consumerTag: this.#tag };
      await this.context.withinDeadline(
        live.channel.consume(this.queue, (message) => this.#arrived(live, message), options),
      );
    } catch (error) {
      this.#release(live);
      throw this.context.explain(error, this.queue);
    }
    if (this.#state !== 'running') await this.#detach();
  }

  #arrived(live: LiveChannel, message: ConsumeMessage | null): void {
    if (message === null) {
      if (this.#state !== 'running') return this.#release(live);
      this.context.logger.warn(
        `the broker has cancelled the subscription "${this.name}" of queue "${this.queue}": the queue was deleted, or its ` +
          'node is gone. It is attached again.',
      );
      this.#release(live);
      void this.#reattach();
      return;
    }
    const held = { received: decodeMessage(message, this.queue, Date.now()), live };
    live.took();
    if (this.#state !== 'running' || this.#live !== live) {
      live.giveBack(message);
      return;
    }
    const { settlement } = this.context;
    // Counted before it is worked on: it may be what killed an earlier process.
    const unfit = settlement.unfit(held) ?? (held.received.uncounted ? (one) => settlement.count(one) : undefined);
    if (unfit !== undefined) {
      void this.settle(held, unfit);
      return;
    }
    this.held.push(held);
    this.pump();
  }

  /** The channel is gone, and with it what is held. */
  #lost(live: LiveChannel): void {
    if (this.#live !== live) return;
    this.#live = undefined;
    this.held = [];
    this.pump();
    void this.#reattach();
  }

  /** Gives back what is held and lets the channel go when its last message is settled. */
  #release(live: LiveChannel): void {
    if (this.#live === live) this.#live = undefined;
    const held = this.held;
    this.held = [];
    for (const one of held) one.live.giveBack(one.received.raw);
    live.retire();
  }

  /** Takes nothing more from the broker. */
  #detach(): Promise<void> {
    const live = this.#live;
    if (live === undefined) return this.#detaching ?? Promise.resolve();
    this.#live = undefined;
    const cancelled = this.context.withinDeadline(live.channel.cancel(this.#tag));
    this.#detaching = cancelled.then(
      () => this.#release(live),
      () => live.close(),
    );
    return this.#detaching;
  }

  async #reattach(): Promise<void> {
    if (this.#state !== 'running' || this.#live !== undefined) return;
    this.#attaching ??= this.#keepTrying().finally(() => {
      this.#attaching = undefined;
    });
    await this.#attaching;
  }

  async #keepTrying(): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 1; this.#state === 'running' && this.#live === undefined; attempt += 1) {
      try {
        await this.context.whenUp(signal);
        if (attempt > 1) await this.context.restore(this.queue);
        await this.#attach();
        this.#fault.worked('take messages');
      } catch (error) {
        if (signal.aborted) return;
        this.#fault.failed('take messages', error);
        // The queue may be made again by this process as soon as it is known to be missing.
        const wait = attempt === 1 ? 0 : retryDelay(this.context.reconnect, attempt - 1);
        await sleep(wait, signal).catch(() => undefined);
      }
    }
  }
}

function messageOf({ received }: Held): Message {
  return received.message;
}
