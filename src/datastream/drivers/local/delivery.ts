import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import { PulledDelivery, type DeliverySettlement } from '../../pulled-delivery.js';
import { toMessage, type StoredMessage } from './stored-message.js';
import type { Settlement, StreamEngine } from './stream-engine.js';
import type { StoredQueue } from './stream-store.js';

/** Where a delivery comes from. */
export interface DeliveryOrigin {
  engine: StreamEngine;
  queue: StoredQueue;
  source: HubErrorOptions;
}

/** A pulled message of the store. */
export class LocalDelivery extends PulledDelivery {
  readonly #seq: number;
  readonly #origin: DeliveryOrigin;

  /** @param settled true for a message that was settled as it was handed over (`ack: 'auto'`) */
  constructor(stored: StoredMessage, origin: DeliveryOrigin, settled: boolean) {
    super(toMessage(stored), origin.source, settled);
    this.#seq = stored.seq;
    this.#origin = origin;
  }

  protected override async settle(settlement: DeliverySettlement, source: HubErrorOptions): Promise<void> {
    const { engine, queue } = this.#origin;
    if (engine.closed) {
      throw new HubError(
        'DELIVERY_LOST',
        `message ${this.messageId} of queue "${this.queue}" can no longer be settled: the plugin that delivered it has ` +
          'been shut down. It will be delivered again.',
        source,
      );
    }
    const { attempt, messageId } = this;
    try {
      engine.settle(queue, [{ seq: this.#seq, attempt, messageId, settlement: inStore(settlement) }]);
    } catch (cause) {
      throw new HubError('UNAVAILABLE', `the store could not settle message ${messageId}.`, { ...source, cause });
    }
  }
}

function inStore(settlement: DeliverySettlement): Settlement {
  switch (settlement.kind) {
    case 'ack':
      return { kind: 'ack' };
    case 'requeue':
      return { kind: 'release', delay: settlement.delay };
    case 'reject':
      return { kind: 'bury', reason: 'rejected', detail: settlement.reason };
  }
}
