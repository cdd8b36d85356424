import { setTimeout as pause } from 'node:timers/promises';
import { HubError } from '../../../src/core/errors.js';
import type { DataStreamPlugin, Message, SubscribeOptions, Subscription } from '../../../src/datastream/index.js';
import { PUBLISH_TIMEOUT_MS } from './chaos-plugin.js';
import { MessageLedger } from './message-ledger.js';

/** Pause between two rounds of sends, in ms. */
const TICK_MS = 20;
/** Most messages that are sent and not settled. */
const MOST_PENDING = 5_000;
/** What a send may take beyond its deadline, in ms: timers of a loaded machine are late. */
const LATE_MS = 2_000;
/** How long the last messages may take to arrive, in ms. */
const ARRIVAL_MS = 60_000;

/** Of so many messages, the handler fails at one. */
const FAILING = 40;
/** Delay of its retry, in ms. */
const RETRY_MS = 200;

/** How a load is made. */
export interface ChaosLoadOptions {
  /** Messages per second while the broker takes them. Default 5 000. */
  perSecond?: number;
  /** The plugin's, in ms. */
  publishTimeout?: number;
  /** Beginning of the ids. Default: the queue's name. */
  prefix?: string;
  ledger?: MessageLedger;
  /** Whether the handler throws at some messages the first time. Default true. */
  failing?: boolean;
}

/** A send that was rejected. */
export interface RejectedSend {
  code: string;
  message: string;
  /** From the call to the rejection, in ms. */
  took: number;
}

/** Sends messages without pause, singly and in batches, and keeps the ledger of them. */
export class ChaosLoad {
  readonly ledger: MessageLedger;
  readonly rejected: RejectedSend[] = [];
  /** Deliveries to {@link consume} of messages that had been delivered before. */
  redelivered = 0;
  /** Longest time that a send took beyond its deadline, in ms; at most 0 when all were in time. */
  latest = Number.NEGATIVE_INFINITY;
  #pending = 0;
  #sent = 0;
  readonly #failed = new Set<string>();
  #over = false;
  #producing: Promise<void> = Promise.resolve();
  readonly #perTick: number;
  readonly #publishTimeout: number;
  readonly #prefix: string;

  constructor(
    private readonly plugin: DataStreamPlugin,
    private readonly queue: string,
    private readonly options: ChaosLoadOptions = {},
  ) {
    const { perSecond = 5_000, publishTimeout = PUBLISH_TIMEOUT_MS, prefix = queue, ledger } = options;
    this.ledger = ledger ?? new MessageLedger();
    this.#perTick = Math.max(2, Math.round((perSecond * TICK_MS) / 1_000));
    this.#publishTimeout = publishTimeout;
    this.#prefix = prefix;
  }

  /** Messages that are sent and not settled. */
  get pending(): number {
    return this.#pending;
  }

  /** Messages at which the handler has thrown once. */
  get failed(): number {
    return this.#failed.size;
  }

  /** Sends from now on. */
  start(): void {
    this.#over = false;
    this.#producing = this.#produce();
  }

  /** A consumer that notes what it gets; of {@link FAILING} messages, it throws at one the first time. */
  consume(options: SubscribeOptions = {}): Promise<Subscription> {
    return this.plugin.subscribe(this.queue, (message) => this.#handle(message), {
      concurrency: 20,
      prefetch: 200,
      retry: { attempts: 10, delay: RETRY_MS, factor: 1 },
      ...options,
    });
  }

  /** Sends one message; resolves when its send is settled, to whether it was confirmed. */
  async send(): Promise<boolean> {
    return this.#settle([this.#next()], ([id = '']) => this.plugin.sendData(this.queue, id, { messageId: id }));
  }

  /** Waits until `count` messages are confirmed. */
  async reached(count: number, ms = 120_000): Promise<void> {
    const deadline = performance.now() + ms;
    while (this.ledger.confirmed.size < count) {
      if (performance.now() > deadline)
        throw new Error(`${this.ledger.confirmed.size} of ${count} confirmed in ${ms} ms`);
      await pause(TICK_MS);
    }
  }

  /** Sends nothing more and waits until every send is settled: rejects when one is not by its deadline. */
  async stop(): Promise<void> {
    this.#over = true;
    await this.#producing;
    const deadline = performance.now() + this.#publishTimeout + LATE_MS;
    while (this.#pending > 0) {
      if (performance.now() > deadline) throw new Error(`${this.#pending} sends to "${this.queue}" are never settled`);
      await pause(TICK_MS);
    }
    if (this.latest > LATE_MS) throw new Error(`a send took ${this.latest} ms longer than its deadline`);
  }

  /** {@link stop}, and waits until what was confirmed has arrived; resolves to the ids that have not. */
  async end(ms = ARRIVAL_MS): Promise<string[]> {
    await this.stop();
    return this.arrived(ms);
  }

  /** Waits until what was confirmed has arrived, as far as it `fits`; resolves to the ids that have not. */
  async arrived(ms = ARRIVAL_MS, fits?: Parameters<MessageLedger['lost']>[0]): Promise<string[]> {
    const deadline = performance.now() + ms;
    for (;;) {
      const lost = this.ledger.lost(fits);
      if (lost.length === 0 || performance.now() > deadline) return lost;
      await pause(TICK_MS);
    }
  }

  #handle({ messageId: id, payload, redelivered }: Message): void {
    if (redelivered) this.redelivered += 1;
    const fails = this.options.failing !== false && Number(id.slice(id.lastIndexOf('-') + 1)) % FAILING === 0;
    if (fails && !this.#failed.has(id)) {
      this.#failed.add(id);
      throw new Error('not yet');
    }
    this.ledger.arrived(id, payload);
  }

  async #produce(): Promise<void> {
    while (!this.#over) {
      if (this.#pending < MOST_PENDING) this.#tick();
      await pause(TICK_MS);
    }
  }

  #tick(): void {
    const single = this.#perTick >> 1;
    for (let count = 0; count < single; count += 1) void this.send();
    const ids = Array.from({ length: this.#perTick - single }, () => this.#next());
    const batch = ids.map((id) => ({ payload: id, messageId: id }));
    void this.#settle(ids, () => this.plugin.sendBatch(this.queue, batch));
  }

  #next(): string {
    this.#sent += 1;
    return `${this.#prefix}-${this.#sent}`;
  }

  async #settle(ids: readonly string[], send: (ids: readonly string[]) => Promise<unknown>): Promise<boolean> {
    const began = performance.now();
    for (const id of ids) this.ledger.began.set(id, began);
    this.#pending += ids.length;
    try {
      await send(ids);
      const ended = performance.now();
      for (const id of ids) this.ledger.confirmed.set(id, { began, ended });
      return true;
    } catch (error) {
      const code = HubError.is(error) ? error.code : 'none';
      this.rejected.push({ code, message: String(error), took: performance.now() - began });
      return false;
    } finally {
      this.#pending -= ids.length;
      this.latest = Math.max(this.latest, performance.now() - began - this.#publishTimeout);
    }
  }
}
