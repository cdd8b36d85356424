import type { HubErrorOptions } from '../../../core/errors.js';
import { HubError } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import type { Delivery, Message, Payload } from '../../datastream.types.js';
import { checkDuration } from '../../datastream.validation.js';
import { toMessage, type StoredMessage } from './stored-message.js';
import type { Settlement, StreamEngine } from './stream-engine.js';
import type { StoredQueue } from './stream-store.js';

/** Where a delivery comes from. */
export interface DeliveryOrigin {
  engine: StreamEngine;
  queue: StoredQueue;
  source: HubErrorOptions;
}

/** A pulled message in the caller's hands. */
export class LocalDelivery implements Delivery {
  readonly messageId: string;
  readonly queue: string;
  readonly payload: Payload;
  readonly headers: JsonObject;
  readonly correlationId: string | null;
  readonly timestamp: number;
  readonly attempt: number;
  readonly redelivered: boolean;
  readonly #seq: number;
  readonly #origin: DeliveryOrigin;
  #settled: boolean;

  /** @param settled true for a message that was settled as it was handed over (`ack: 'auto'`) */
  constructor(stored: StoredMessage, origin: DeliveryOrigin, settled: boolean) {
    const message: Message = toMessage(stored);
    this.messageId = message.messageId;
    this.queue = message.queue;
    this.payload = message.payload;
    this.headers = message.headers;
    this.correlationId = message.correlationId;
    this.timestamp = message.timestamp;
    this.attempt = message.attempt;
    this.redelivered = message.redelivered;
    this.#seq = stored.seq;
    this.#origin = origin;
    this.#settled = settled;
  }

  async ack(): Promise<void> {
    this.#settle('ack', { kind: 'ack' });
  }

  async requeue(options: { delay?: number } = {}): Promise<void> {
    const source = { ...this.#origin.source, operation: 'requeue' };
    this.#settle('requeue', { kind: 'release', delay: checkDuration(options.delay ?? 0, 'delay', 0, source) });
  }

  async reject(reason = ''): Promise<void> {
    this.#settle('reject', { kind: 'bury', reason: 'rejected', detail: reason });
  }

  #settle(operation: string, settlement: Settlement): void {
    if (this.#settled) return;
    const { engine, queue, source } = this.#origin;
    if (engine.closed) {
      throw new HubError(
        'DELIVERY_LOST',
        `message ${this.messageId} of queue "${this.queue}" can no longer be settled: the plugin that delivered it has ` +
          'been shut down. It will be delivered again.',
        { ...source, operation },
      );
    }
    try {
      engine.settle(queue, [{ seq: this.#seq, attempt: this.attempt, messageId: this.messageId, settlement }]);
    } catch (cause) {
      throw new HubError('UNAVAILABLE', `the store could not settle message ${this.messageId}.`, {
        ...source,
        operation,
        cause,
      });
    }
    this.#settled = true;
  }
}
