import { HubError, type HubErrorOptions } from 'nestjs-experiment-hub';
import type { Delivery } from 'nestjs-experiment-hub/datastream';
import { checkDuration } from 'nestjs-experiment-hub/datastream/driver-kit';
import type { Entry, MemoryQueue } from './memory-queue.js';

/** A pulled message in the caller's hands; the first settlement counts. */
export function memoryDelivery(
  queue: MemoryQueue,
  entry: Entry,
  isOpen: () => boolean,
  source: HubErrorOptions,
  settledAlready = false,
): Delivery {
  let settled = settledAlready;
  const settle = (operation: string, effect: () => void): void => {
    if (settled) return;
    if (!isOpen()) {
      throw new HubError('DELIVERY_LOST', `message ${entry.sealed.messageId} went with the plugin that delivered it.`, {
        ...source,
        operation,
      });
    }
    settled = true;
    effect();
  };
  return {
    ...queue.message(entry),
    ack: async () => settle('ack', () => queue.ack(entry)),
    requeue: async ({ delay = 0 } = {}) => {
      const ms = checkDuration(delay, 'delay', 0, source);
      settle('requeue', () => queue.release(entry, ms));
    },
    reject: async (reason = '') => settle('reject', () => queue.bury(entry, 'rejected', reason)),
  };
}
