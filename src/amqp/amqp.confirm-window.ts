import type { ConfirmChannel, Message, Options } from 'amqplib';
import { HubError, type HubErrorOptions } from '../core/errors.js';
import { amqpError } from './amqp.errors.js';
import type { PendingMessage } from './amqp.pending-message.js';

/** How long the broker may take to close a channel that is retired, in ms. */
const CLOSE_MS = 1_000;

/** What becomes of a {@link ConfirmWindow}. */
export interface ConfirmWindowEvents {
  /** There is room again: messages were confirmed, or the socket takes more. */
  room(): void;
  /** A queue that was there when messages were written here is gone. */
  vanished(): void;
  /** The broker does not answer that a retired channel is closed. */
  stuck(): void;
  /**
   * The channel is gone, with these messages unconfirmed, in the order in which they were written.
   * @param error what the broker closed it with, when it did
   */
  lost(unconfirmed: PendingMessage[], error: unknown): void;
}

/** What AMQP says of a message that it gives back. */
interface ReturnFields {
  exchange: string;
  replyText?: string;
  routingKey: string;
}

/** The messages that were written to one channel and are not confirmed yet. */
export class ConfirmWindow {
  /** By delivery tag, which counts what was written to the channel. */
  readonly #unconfirmed = new Map<number, PendingMessage>();
  /** Queues that have confirmed a message here. */
  readonly #seen = new Set<string>();
  #tag = 0;
  #full = false;
  /** Runs while it is retired: then it closes whatever is confirmed, and then it is stuck. */
  #retirement: NodeJS.Timeout | undefined;
  /** Whether it is being closed because it was retired. */
  #leaving = false;
  #closed = false;
  #error: unknown;

  constructor(
    readonly channel: ConfirmChannel,
    private readonly source: HubErrorOptions,
    private readonly events: ConfirmWindowEvents,
  ) {
    channel.on('ack', ({ deliveryTag, multiple }) =>
      this.#confirm(deliveryTag, multiple, (message) => this.#ack(message)),
    );
    channel.on('nack', ({ deliveryTag, multiple }) =>
      this.#confirm(deliveryTag, multiple, (message) => this.#nack(message)),
    );
    channel.on('return', (returned: Message) => this.#return(returned));
    channel.on('drain', () => {
      this.#full = false;
      this.events.room();
    });
    channel.on('error', (error) => (this.#error = error));
    channel.on('close', () => this.#close());
  }

  /** Messages that are written and not confirmed. */
  get size(): number {
    return this.#unconfirmed.size;
  }

  /** Whether the socket takes more for now, and the channel is there to stay. */
  get writable(): boolean {
    return !this.#full && !this.#closed && this.#retirement === undefined;
  }

  /** Whether it was {@link retire}d. */
  get retired(): boolean {
    return this.#retirement !== undefined;
  }

  /** Writes a message. `false`: the channel is gone and the message was not written; one that cannot be encoded is rejected. */
  write(pending: PendingMessage): boolean {
    const { exchange, routingKey, content, properties } = pending.message;
    try {
      const room = this.channel.publish(exchange, routingKey, content, mandatory(properties));
      this.#full = !room;
    } catch (error) {
      if (this.#closed || (error instanceof Error && error.name === 'IllegalOperationError')) {
        // Until the channel says itself that it is closed.
        this.#full = true;
        return false;
      }
      const options = { ...this.source, cause: error, details: pending.details };
      pending.reject(new HubError('PAYLOAD_INVALID', 'the message cannot be written as AMQP.', options));
      return true;
    }
    pending.sent = true;
    this.#tag += 1;
    this.#unconfirmed.set(this.#tag, pending);
    return true;
  }

  /** Takes nothing more and closes the channel, as `lost`, when all is confirmed or `ms` are over. */
  retire(ms: number): void {
    if (this.#closed || this.#retirement !== undefined) return;
    this.#retirement = setTimeout(() => this.#retire(), ms);
    this.#retirement.unref();
    if (this.size === 0) this.#retire();
  }

  /** Closes the channel; nothing is told of it. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retirement);
    this.#unconfirmed.clear();
    await this.channel.close().catch(() => undefined);
  }

  *[Symbol.iterator](): Iterator<PendingMessage> {
    yield* this.#unconfirmed.values();
  }

  #confirm(tag: number, multiple: boolean, settle: (message: PendingMessage) => void): void {
    if (multiple) {
      for (const [each, message] of this.#unconfirmed) {
        if (each > tag) break;
        this.#unconfirmed.delete(each);
        settle(message);
      }
    } else {
      const message = this.#unconfirmed.get(tag);
      this.#unconfirmed.delete(tag);
      if (message !== undefined) settle(message);
    }
    if (this.retired && this.size === 0) this.#retire();
    this.events.room();
  }

  #retire(): void {
    if (this.#closed || this.#leaving) return;
    this.#leaving = true;
    clearTimeout(this.#retirement);
    // Its end comes as the event.
    void this.channel.close().catch(() => undefined);
    this.#retirement = setTimeout(() => this.events.stuck(), CLOSE_MS);
    this.#retirement.unref();
  }

  #ack(pending: PendingMessage): void {
    const { exchange, routingKey } = pending.message;
    if (pending.returned === undefined) {
      if (exchange === '') this.#seen.add(routingKey);
      return pending.resolve();
    }
    const where = exchange === '' ? `"${routingKey}"` : `for "${routingKey}" at the exchange "${exchange}"`;
    const text = `there is no queue ${where}: RabbitMQ gave the message back (${pending.returned}).`;
    pending.reject(new HubError('NOT_FOUND', text, { ...this.source, details: pending.details }));
  }

  #nack(pending: PendingMessage): void {
    const { routingKey } = pending.message;
    const text = `the broker refused the message for "${routingKey}" (queue full?). Try again when it has been worked off.`;
    pending.reject(new HubError('CONFLICT', text, { ...this.source, details: pending.details }));
  }

  /** The broker gives it back before it confirms it, without its tag. */
  #return({ fields, properties }: Message): void {
    const { exchange, replyText, routingKey } = fields as ReturnFields;
    let routed = this.#seen.has(routingKey);
    for (const pending of this.#unconfirmed.values()) {
      const { message } = pending;
      if (pending.returned !== undefined || message.routingKey !== routingKey) continue;
      if (message.properties.messageId !== (properties.messageId as unknown)) {
        routed = true;
        continue;
      }
      pending.returned = replyText ?? 'NO_ROUTE';
      if (routed && exchange === '') this.events.vanished();
      return;
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retirement);
    const unconfirmed = [...this.#unconfirmed.values()];
    this.#unconfirmed.clear();
    this.events.lost(unconfirmed, this.#error);
  }
}

function mandatory(properties: Options.Publish): Options.Publish {
  return properties.mandatory === true ? properties : { ...properties, mandatory: true };
}

/** Reply codes with which a broker closes a channel because of a message that it was sent. */
const CHANNEL_REFUSALS = new Set([311, 403, 404, 406, 540]);
/** The same for a connection. */
const CONNECTION_REFUSALS = new Set([501, 502, 503, 504, 505]);

/** Whether the broker closed the channel or connection because of something that it was sent. */
export function isRefusal(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'number' && (CHANNEL_REFUSALS.has(code) || CONNECTION_REFUSALS.has(code));
}

/** The error of the message that the broker closed the channel or connection for. */
export function refusalOf(pending: PendingMessage, error: unknown, source: HubErrorOptions): HubError {
  return amqpError(error, { ...source, details: pending.details }, 'the broker refused the message');
}
