import { HubError, type HubErrorOptions } from '../../../core/errors.js';

/** `NOT_FOUND` for a queue that nobody has created. */
export function queueMissing(queue: string, source: HubErrorOptions, cause?: unknown): HubError {
  return new HubError(
    'NOT_FOUND',
    `the queue "${queue}" does not exist. Create it with createQueue("${queue}"), or list it under config.queues.`,
    { ...source, details: { ...source.details, queue }, ...(cause === undefined ? {} : { cause }) },
  );
}

/** `CONFLICT` for a queue that takes nothing more. */
export function queueFull(queue: string, source: HubErrorOptions, cause?: unknown): HubError {
  return new HubError(
    'CONFLICT',
    `the queue "${queue}" is full (maxLength): RabbitMQ did not take the message. Try again when its consumers have ` +
      'caught up.',
    { ...source, details: { ...source.details, queue }, ...(cause === undefined ? {} : { cause }) },
  );
}

/** `DELIVERY_LOST` for a message whose channel is gone. */
export function deliveryLost(queue: string, messageId: string, source: HubErrorOptions): HubError {
  return new HubError(
    'DELIVERY_LOST',
    `message ${messageId} of queue "${queue}" can no longer be settled: the channel that delivered it is gone. It will ` +
      'be delivered again.',
    { ...source, details: { queue, messageId } },
  );
}
