import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { StoredQueue } from './stream-store.js';

/** `NOT_FOUND` for a queue that nobody has created. */
export function queueMissing(queue: string, source: HubErrorOptions): HubError {
  return new HubError(
    'NOT_FOUND',
    `the queue "${queue}" does not exist. Create it with createQueue("${queue}"), or list it under config.queues.`,
    { ...source, details: { queue } },
  );
}

/** `CONFLICT` for a queue whose `maxLength` is reached; nothing of the call has been stored (`details.sent` is 0). */
export function queueFull({ name, maxLength }: StoredQueue, ready: number, source: HubErrorOptions): HubError {
  return new HubError(
    'CONFLICT',
    `the queue "${name}" is full: it holds ${ready} of ${maxLength} ready messages (maxLength). Nothing was sent; try ` +
      'again when its consumers have caught up.',
    { ...source, details: { queue: name, ready, maxLength, sent: 0 } },
  );
}
