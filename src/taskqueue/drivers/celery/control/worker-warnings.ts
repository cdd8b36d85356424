import { errorMessage } from '../../../../core/errors.js';
import type { JsonValue } from '../../../../core/json.js';
import type { StoreLogger } from '../../../../embedded/store-logger.js';
import type { CeleryBroker } from '../broker/celery-broker.js';
import type { CeleryOptions } from '../celery.options.js';
import { inspectWorkers } from './inspect.js';

/** Most names in a warning. */
const MOST_NAMES = 5;

/**
 * Looks at the workers that are there at the start, and warns of what loses tasks: early acks, and a visibility timeout other
 * than the hub's. Never rejects.
 */
export async function warnOfWorkers(broker: CeleryBroker, options: CeleryOptions, logger: StoreLogger): Promise<void> {
  try {
    const given = { taskinfoitems: ['acks_late'] };
    const [registered, conf] = await Promise.all([
      inspectWorkers(broker, { method: 'registered', arguments: given }, options.controlTimeout),
      inspectWorkers(broker, { method: 'conf', arguments: {} }, options.controlTimeout),
    ]);
    for (const [worker, tasks] of Object.entries(registered)) warnOfEarlyAcks(worker, tasks, logger);
    if (broker.transport === 'amqp') return;
    for (const [worker, answer] of Object.entries(conf)) warnOfVisibility(worker, answer, options, logger);
  } catch (error) {
    logger.debug(`the workers could not be looked at: ${errorMessage(error)}`);
  }
}

function warnOfEarlyAcks(worker: string, tasks: JsonValue, logger: StoreLogger): void {
  if (!Array.isArray(tasks)) return;
  const early = tasks
    .map(String)
    .filter((task) => !task.startsWith('celery.') && !/\[.*acks_late=True/.test(task))
    .map((task) => task.split(' ')[0] ?? '');
  if (early.length === 0) return;
  const more = early.length > MOST_NAMES ? ` and ${early.length - MOST_NAMES} more` : '';
  logger.warn(
    `worker ${worker} acks tasks before they run (${early.slice(0, MOST_NAMES).join(', ')}${more}): those that run when it ` +
      'dies are lost and stay PENDING. Set acks_late and reject_on_worker_lost, as HubTask of examples/python-worker does.',
  );
}

function warnOfVisibility(worker: string, conf: JsonValue, options: CeleryOptions, logger: StoreLogger): void {
  if (typeof conf !== 'object' || conf === null || Array.isArray(conf)) return;
  const transport = conf['broker_transport_options'];
  if (typeof transport !== 'object' || transport === null || Array.isArray(transport)) return;
  const seconds = transport['visibility_timeout'] ?? 3_600;
  if (typeof seconds !== 'number' || seconds * 1_000 === options.visibilityTimeout) return;
  logger.warn(
    `worker ${worker} has a visibility_timeout of ${seconds} s, and visibilityTimeout of the hub is ` +
      `${options.visibilityTimeout} ms: the hub warns of late tasks by its own. Set both alike.`,
  );
}
