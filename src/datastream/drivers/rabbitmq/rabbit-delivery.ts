import type { HubErrorOptions } from '../../../core/errors.js';
import { PulledDelivery, type DeliverySettlement } from '../../pulled-delivery.js';
import { deliveryLost } from './rabbitmq.errors.js';
import type { Held, Settlement } from './settlement.js';

/** A pulled message, settled on the channel that delivered it. */
export class RabbitDelivery extends PulledDelivery {
  /** @param settled true for a message that was settled as it was handed over (`ack: 'auto'`) */
  constructor(
    private readonly held: Held,
    private readonly settlement: Settlement,
    source: HubErrorOptions,
    settled: boolean,
  ) {
    super(held.received.message, source, settled);
  }

  protected override async settle(settlement: DeliverySettlement, source: HubErrorOptions): Promise<void> {
    if (!(await this.#settle(settlement))) throw deliveryLost(this.queue, this.messageId, source);
  }

  #settle(settlement: DeliverySettlement): Promise<boolean> | boolean {
    switch (settlement.kind) {
      case 'ack':
        return this.settlement.ack(this.held);
      case 'requeue':
        return this.settlement.again(this.held, settlement.delay);
      case 'reject':
        return this.settlement.bury(this.held, 'rejected', settlement.reason);
    }
  }
}
