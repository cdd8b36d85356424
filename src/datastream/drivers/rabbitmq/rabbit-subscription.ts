import { sleep } from '../../../core/deadline.js';
import { HubError } from '../../../core/errors.js';
import { retryDelay, type ResolvedRetryPolicy } from '../../../core/retry.js';
import type { StandardSchemaV1 } from '../../../core/standard-schema.js';
import { StoreFault } from '../../../embedded/store-fault.js';
import type { DataContext, Message, Subscription } from '../../datastream.types.js';
import type { DeliveryObserver } from '../../delivery-observer.js';
import { runHandler, type HandlerOutcome } from '../../handler-outcome.js';
import { HandlerRuns } from '../../handler-runs.js';
import { messageFate, type MessageFate } from '../../message-fate.js';
import type { ConsumerContext } from './consumer-context.js';
import { Consumer } from './consumer.js';
import type { LiveChannel } from './live-channel.js';
import { decodeMessage } from './message-decoder.js';
import type { Held } from './settlement.js';

/** Most deliveries that AMQP lets a consumer hold. */
export const MAX_PREFETCH = 65_535;

/** What the two kinds of subscriptions have in common. */
export interface ConsumerOptions {
  name: string;
  prefetch: number;
  retry: ResolvedRetryPolicy;
  schema: StandardSchemaV1 | undefined;
  observer: DeliveryObserver | undefined;
}

/** Calls a handler with messages that fit their schema. */
type Handle = (messages: Message[], context: DataContext) => Promise<void> | void;

/** A consumer and the calls of its handler: takes messages, and settles them by the handler's outcome. */
export abstract class RabbitSubscription implements Subscription {
  readonly name: string;
  #state: Subscription['state'] = 'running';
  protected held: Held[] = [];
  protected readonly runs: HandlerRuns;
  readonly #fault: StoreFault;
  readonly #consumer: Consumer;
  #stopped = Promise.resolve();

  protected constructor(
    protected readonly context: ConsumerContext,
    readonly queue: string,
    private readonly plan: ConsumerOptions,
  ) {
    this.name = plan.name;
    const owner = `subscription "${plan.name}" of queue "${queue}"`;
    this.runs = new HandlerRuns(owner, context.logger);
    this.#fault = new StoreFault(context.logger, `the ${owner}`);
    this.#consumer = new Consumer(context, queue, plan.prefetch, this.#fault, {
      arrived: (live, message) => this.#arrived({ received: decodeMessage(message, queue, Date.now()), live }),
      released: (live) => this.#released(live),
      ended: (why) => context.logger.warn(`the broker has ended the ${owner}: ${why}. It is attached again.`),
    });
  }

  get state(): Subscription['state'] {
    return this.#state;
  }

  /** Why it gets no messages at the moment, although it should; `undefined` when it works, or is paused or closed. */
  get fault(): string | undefined {
    if (this.#state !== 'running') return undefined;
    return this.#fault.current ?? (this.#consumer.attached ? undefined : 'is not attached to its queue');
  }

  /** Whether it is closed and its handlers have ended. */
  get over(): boolean {
    return this.#state === 'closed' && this.runs.size === 0;
  }

  /** Attaches it for the first time; rejects when that is not possible, and then it is closed. */
  async start(): Promise<void> {
    try {
      await this.#consumer.start();
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  async pause(): Promise<void> {
    if (this.#state !== 'running') return;
    this.#state = 'paused';
    await this.#consumer.stop();
  }

  async resume(): Promise<void> {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    await this.#consumer.resume();
  }

  async close(): Promise<void> {
    await this.cancel();
    await this.runs.othersEnded();
  }

  /** Stops, and resolves when the broker delivers nothing more. */
  async cancel(): Promise<void> {
    this.stop();
    await this.#stopped;
  }

  /** Takes nothing more; handlers that run go on, and the channel closes after them. */
  stop(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.runs.stop();
    this.onStop();
    this.#stopped = this.#consumer.stop();
  }

  /** Stops and tells the handlers that run; what they do is no longer settled. */
  abandon(): void {
    this.stop();
    this.runs.abandon();
  }

  /** Looks for work among what is held. */
  protected abstract pump(): void;

  protected onStop(): void {}

  /** Starts the handler on messages that are held no more; its outcome decides on what becomes of them. */
  protected run(batch: Held[], handle: Handle): void {
    this.runs.start(
      batch.map(messageOf),
      () => this.#work(batch, handle),
      () => this.pump(),
    );
  }

  #arrived(held: Held): void {
    const { settlement } = this.context;
    const { live, received } = held;
    // Counted before it is worked on: it may be what killed an earlier process. Not after an outage that this process has
    // outlived: a broker that was killed calls all that it had stored redelivered, and none would be worked on before all
    // are counted.
    const counts = received.uncounted && !live.hasOutlived(received.raw);
    const unfit = settlement.unfit(held) ?? (counts ? (one) => settlement.count(one) : undefined);
    if (unfit !== undefined) {
      void this.#settle(held, unfit);
      return;
    }
    this.held.push(held);
    this.pump();
  }

  #released(live: LiveChannel): void {
    const left = this.held.filter((one) => one.live === live);
    if (left.length === 0) return;
    this.held = this.held.filter((one) => one.live !== live);
    for (const { received } of left) live.giveBack(received.raw);
    this.pump();
  }

  /** Settles messages, again and again until it works or their channel is gone. */
  async #settle(held: Held, work: (held: Held) => Promise<boolean> | boolean): Promise<void> {
    for (let attempt = 1; held.live.open; attempt += 1) {
      try {
        await work(held);
        this.#fault.worked('settle messages');
        return;
      } catch (error) {
        if (!held.live.open) break;
        this.#fault.failed('settle messages', error);
        await sleep(retryDelay(this.context.reconnect, attempt), this.#endOf(held)).catch(() => undefined);
        if (this.runs.signal.aborted) return;
      }
    }
    // The message comes again on another channel.
    this.#fault.dropped('settle messages');
  }

  async #work(batch: Held[], handle: Handle): Promise<void> {
    const context = { signal: this.runs.signal };
    const ended = await runHandler({
      held: batch,
      toMessage: messageOf,
      schema: this.plan.schema,
      handle: (messages) => handle(messages, context),
    });
    const unsettled: Promise<void>[] = [];
    for (const { held, outcome } of ended) {
      const fate = this.#fate(held, outcome);
      if (fate.kind === 'ack') this.context.settlement.ackSoon(held);
      else unsettled.push(this.#settle(held, (one) => this.#failed(one, fate)));
    }
    if (unsettled.length > 0) await Promise.all(unsettled);
  }

  #fate(held: Held, outcome: HandlerOutcome): MessageFate {
    const { retry, observer } = this.plan;
    const failures = held.received.failureCount + 1;
    return messageFate(outcome, { failures, retry, closed: this.#state === 'closed', observer });
  }

  /** Settles a message whose handler has thrown, or which does not fit the schema. */
  #failed(held: Held, fate: Exclude<MessageFate, { kind: 'ack' }>): Promise<boolean> | boolean {
    const { settlement } = this.context;
    switch (fate.kind) {
      case 'release':
        return settlement.giveBack(held);
      case 'retry':
        return this.#retry(held, fate.delay, fate.detail);
      case 'bury':
        return settlement.bury(held, fate.reason, fate.detail, fate.detail);
    }
  }

  async #retry(held: Held, delay: number, detail: string): Promise<boolean> {
    const { settlement } = this.context;
    try {
      return await settlement.again(held, delay, detail);
    } catch (error) {
      if (!HubError.is(error, 'NOT_FOUND')) throw error;
      // Whoever owns the topology has made no queue for this delay: the message waits in hand.
      await sleep(delay, this.#endOf(held));
      return settlement.again(held, 0, detail);
    }
  }

  /** Fires when nothing can be done for a message any more. */
  #endOf({ live }: Held): AbortSignal {
    return AbortSignal.any([this.runs.signal, live.gone]);
  }
}

function messageOf({ received }: Held): Message {
  return received.message;
}
