import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import type { CeleryOptions } from './celery.options.js';
import type { CelerySession } from './celery.session.js';
import { inspectWorkers } from './control/inspect.js';

/**
 * Facts for the health check; rejects with the reason when the plugin is down: the broker or the result backend does not
 * work, or no worker answers a ping. The last is `degraded` where the options say so, and keeps the application ready
 * unless they say otherwise.
 */
export async function taskQueueHealth(
  { broker, results }: CelerySession,
  { controlTimeout, withoutWorkers, readinessNeedsWorkers }: CeleryOptions,
  source: HubErrorOptions,
): Promise<JsonObject> {
  const [brokerFacts, resultFacts] = await Promise.all([broker.check(), results.check()]);
  const answers = await inspectWorkers(broker, { method: 'ping', arguments: {} }, controlTimeout);
  const workers = Object.keys(answers).length;
  const facts = { ...resultFacts, ...brokerFacts, workers };
  if (workers > 0) return facts;
  const message = `no Celery worker answered within ${controlTimeout} ms`;
  if (withoutWorkers === 'degraded') return { ...facts, degraded: true, message };
  throw new HubError('UNAVAILABLE', `${message}.`, { ...source, details: { ready: !readinessNeedsWorkers } });
}
