import type { HubErrorOptions } from '../core/errors.js';
import type { JsonObject } from '../core/json.js';
import type { Delivery, Message, Payload } from './datastream.types.js';
import { checkDuration } from './datastream.validation.js';

/** What a caller decides about a pulled message. `delay` is in ms. */
export type DeliverySettlement =
  { kind: 'ack' } | { kind: 'requeue'; delay: number } | { kind: 'reject'; reason: string };

/** A pulled message in the caller's hands, settled once. What settles it is the driver's. */
export abstract class PulledDelivery implements Delivery {
  readonly messageId: string;
  readonly queue: string;
  readonly payload: Payload;
  readonly headers: JsonObject;
  readonly correlationId: string | null;
  readonly timestamp: number;
  readonly attempt: number;
  readonly redelivered: boolean;
  readonly #source: HubErrorOptions;
  #settling: Promise<void> | undefined;

  /** @param settled true for a message that was settled as it was handed over (`ack: 'auto'`) */
  protected constructor(message: Message, source: HubErrorOptions, settled: boolean) {
    this.messageId = message.messageId;
    this.queue = message.queue;
    this.payload = message.payload;
    this.headers = message.headers;
    this.correlationId = message.correlationId;
    this.timestamp = message.timestamp;
    this.attempt = message.attempt;
    this.redelivered = message.redelivered;
    this.#source = source;
    if (settled) this.#settling = Promise.resolve();
  }

  async ack(): Promise<void> {
    await this.#once('ack', { kind: 'ack' });
  }

  async requeue(options: { delay?: number } = {}): Promise<void> {
    const delay = checkDuration(options.delay ?? 0, 'delay', 0, this.#sourceOf('requeue'));
    await this.#once('requeue', { kind: 'requeue', delay });
  }

  async reject(reason = ''): Promise<void> {
    await this.#once('reject', { kind: 'reject', reason });
  }

  /** Settles it; a rejection leaves it in hand, to be settled again. */
  protected abstract settle(settlement: DeliverySettlement, source: HubErrorOptions): Promise<void>;

  /** The first settlement counts. */
  #once(operation: string, settlement: DeliverySettlement): Promise<void> {
    this.#settling ??= this.settle(settlement, this.#sourceOf(operation)).catch((error: unknown) => {
      this.#settling = undefined;
      throw error;
    });
    return this.#settling;
  }

  #sourceOf(operation: string): HubErrorOptions {
    return { ...this.#source, operation };
  }
}
