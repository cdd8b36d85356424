import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { QueueOptions } from '../../datastream.types.js';
import { checkQueueName, differingQueueOptions, resolveQueueOptions } from '../../datastream.validation.js';
import { queueMissing } from './local.errors.js';
import type { StreamEngine } from './stream-engine.js';
import type { StoredQueue } from './stream-store.js';

/** The queue of that name. Throws `INVALID_ARGUMENT` or `NOT_FOUND`. */
export function findQueue(engine: StreamEngine, name: string, source: HubErrorOptions): StoredQueue {
  checkQueueName(name, source);
  const queue = engine.store.queue(name);
  if (queue === undefined) throw queueMissing(name, source);
  return queue;
}

/** Creates the queue unless it is there with the same options. Throws `INVALID_ARGUMENT` or `CONFLICT`. */
export function declareQueue(engine: StreamEngine, name: string, options: QueueOptions, source: HubErrorOptions): void {
  checkQueueName(name, source);
  const wanted = resolveQueueOptions(options, source);
  const known = engine.store.queue(name);
  if (known === undefined) {
    engine.store.addQueue(name, wanted);
    return;
  }
  const [key] = differingQueueOptions(known, wanted);
  if (key === undefined) return;
  throw new HubError(
    'CONFLICT',
    `the queue "${name}" exists with ${key} ${known[key] ?? '(none)'}, not ${wanted[key] ?? '(none)'}. Use the same ` +
      'options, or delete the queue first.',
    { ...source, details: { queue: name, option: key } },
  );
}
