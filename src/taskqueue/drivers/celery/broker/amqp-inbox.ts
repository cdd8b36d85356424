import type { ConfirmChannel, ConsumeMessage, Options } from 'amqplib';
import { amqpError, type AmqpLink } from '../../../../amqp/index.js';
import { withDeadline } from '../../../../core/deadline.js';
import { errorMessage, HubError, type HubErrorOptions } from '../../../../core/errors.js';
import type { StoreLogger } from '../../../../embedded/store-logger.js';

/** Wait before an inbox is attached again that could not be, in ms. */
const AGAIN_MS = 500;
/** Most time to close the channel, in ms. */
const CLOSE_MS = 1_000;

/** A queue of the plugin's own, and what is bound to it. */
export interface InboxSpec {
  queue: string;
  options: Options.AssertQueue;
  /** Whether it stays when the inbox is closed. Default: it is deleted. */
  kept?: boolean;
  bindings: readonly { exchange: string; type: 'direct' | 'topic'; durable: boolean; routingKey: string }[];
}

/** Consumes a queue of this plugin's own; it is declared and consumed again after whatever it has lost. */
export class AmqpInbox {
  readonly #unlisten: () => void;
  #channel: ConfirmChannel | undefined;
  #attaching: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #fault: string | undefined = 'not attached yet';

  /** @param onMessage gets each message, which is acked when it returns; it must not throw */
  constructor(
    private readonly link: AmqpLink,
    private readonly spec: InboxSpec,
    private readonly onMessage: (message: ConsumeMessage) => void,
    private readonly options: {
      timeout: number;
      logger: StoreLogger;
      source: HubErrorOptions;
    },
  ) {
    this.#unlisten = link.listen({ up: () => this.#attachSoon(0) });
  }

  /** Why nothing is consumed at the moment; `undefined` when it is. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Resolves when the broker has agreed to deliver. `UNAVAILABLE` without a connection or an answer in time. */
  async attach(): Promise<void> {
    if (this.#channel !== undefined) return;
    const { timeout, source } = this.options;
    this.#attaching ??= this.#attach().finally(() => (this.#attaching = undefined));
    const late = (): HubError =>
      new HubError('UNAVAILABLE', `the queue "${this.spec.queue}" is not consumed after ${timeout} ms.`, source);
    await withDeadline(this.#attaching, timeout, late);
  }

  /** Stops consuming, and deletes the queue unless it is kept. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#unlisten();
    clearTimeout(this.#timer);
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel === undefined) return;
    const deleted = this.spec.kept === true ? Promise.resolve() : channel.deleteQueue(this.spec.queue);
    const gone = deleted.then(() => channel.close()).catch(() => undefined);
    await withDeadline(gone, CLOSE_MS).catch(() => undefined);
  }

  async #attach(): Promise<void> {
    const channel = await this.link.channel();
    let open = true;
    channel.on('close', () => {
      open = false;
      this.#lost(channel, 'its channel was closed');
    });
    const { queue, options, bindings } = this.spec;
    try {
      await channel.assertQueue(queue, options);
      for (const { exchange, type, durable, routingKey } of bindings) {
        await channel.assertExchange(exchange, type, { durable });
        await channel.bindQueue(queue, exchange, routingKey);
      }
      await channel.consume(queue, (message) => {
        if (message === null) return this.#lost(channel, 'the broker has cancelled the consumer');
        this.onMessage(message);
        if (this.#channel === channel || !this.#closed) ack(channel, message);
      });
    } catch (error) {
      void channel.close().catch(() => undefined);
      throw amqpError(error, this.options.source, `the queue "${queue}" is not consumed`);
    }
    if (this.#closed) return void channel.close().catch(() => undefined);
    // It can go between the broker's answer and this line.
    if (!open)
      throw new HubError('UNAVAILABLE', `the channel of the queue "${queue}" was closed.`, this.options.source);
    this.#channel = channel;
    this.#fault = undefined;
  }

  #lost(channel: ConfirmChannel, why: string): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#fault = why;
    void channel.close().catch(() => undefined);
    this.#attachSoon(0);
  }

  #attachSoon(delay: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      if (this.#closed || !this.link.up) return;
      this.attach().catch((error: unknown) => {
        this.#fault = errorMessage(error);
        this.options.logger.debug(`the queue "${this.spec.queue}" is not consumed: ${errorMessage(error)}`);
        this.#attachSoon(AGAIN_MS);
      });
    }, delay);
    this.#timer.unref();
  }
}

function ack(channel: ConfirmChannel, message: ConsumeMessage): void {
  try {
    channel.ack(message);
  } catch {
    // It closes at this moment; what comes again is known by its id.
  }
}
