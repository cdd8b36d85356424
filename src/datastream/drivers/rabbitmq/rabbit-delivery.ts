import type { HubErrorOptions } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import type { Delivery, Payload } from '../../datastream.types.js';
import { checkDuration } from '../../datastream.validation.js';
import { deliveryLost } from './rabbitmq.errors.js';
import type { Held, Settlement } from './settlement.js';

/** A pulled message in the caller's hands. */
export class RabbitDelivery implements Delivery {
  readonly messageId: string;
  readonly queue: string;
  readonly payload: Payload;
  readonly headers: JsonObject;
  readonly correlationId: string | null;
  readonly timestamp: number;
  readonly attempt: number;
  readonly redelivered: boolean;
  #settling: Promise<void> | undefined;

  /** @param settled true for a message that was settled as it was handed over (`ack: 'auto'`) */
  constructor(
    private readonly held: Held,
    private readonly settlement: Settlement,
    private readonly source: HubErrorOptions,
    settled: boolean,
  ) {
    const { message } = held.received;
    this.messageId = message.messageId;
    this.queue = message.queue;
    this.payload = message.payload;
    this.headers = message.headers;
    this.correlationId = message.correlationId;
    this.timestamp = message.timestamp;
    this.attempt = message.attempt;
    this.redelivered = message.redelivered;
    if (settled) this.#settling = Promise.resolve();
  }

  async ack(): Promise<void> {
    await this.#settle('ack', async () => this.settlement.ack(this.held));
  }

  async requeue(options: { delay?: number } = {}): Promise<void> {
    const source = { ...this.source, operation: 'requeue' };
    const delay = checkDuration(options.delay ?? 0, 'delay', 0, source);
    await this.#settle('requeue', () => this.settlement.again(this.held, delay));
  }

  async reject(reason = ''): Promise<void> {
    await this.#settle('reject', () => this.settlement.bury(this.held, 'rejected', reason));
  }

  /** The first settlement counts; after one that could not be made, the message is still in hand. */
  #settle(operation: string, work: () => Promise<boolean>): Promise<void> {
    this.#settling ??= this.#run(operation, work).catch((error: unknown) => {
      this.#settling = undefined;
      throw error;
    });
    return this.#settling;
  }

  async #run(operation: string, work: () => Promise<boolean>): Promise<void> {
    if (!(await work())) throw deliveryLost(this.queue, this.messageId, { ...this.source, operation });
  }
}
