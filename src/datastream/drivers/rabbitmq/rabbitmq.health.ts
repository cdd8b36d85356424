import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import type { RabbitMQOptions } from './rabbitmq.options.js';
import type { RabbitMQSession } from './rabbitmq.session.js';

/**
 * Facts for the health check; rejects with the reason when the plugin is down: a connection is lost, the broker does not
 * answer, or a consumer is not attached to its queue. `degraded` while the broker blocks what is sent, or when a consumed
 * queue holds `backlogThreshold` messages. Asks on the consuming connection only, since a blocked one does not answer, and
 * passively: nothing is declared.
 */
export async function streamHealth(
  session: RabbitMQSession,
  { backlogThreshold }: RabbitMQOptions,
  source: HubErrorOptions,
): Promise<JsonObject> {
  const { publish, consume } = session.connections;
  for (const [link, what] of [
    [consume, 'consuming'],
    [publish, 'publishing'],
  ] as const) {
    if (link.up) continue;
    throw new HubError('UNAVAILABLE', `the ${what} connection is down: ${link.fault ?? 'not connected'}.`, source);
  }
  const open = [...session.subscriptions].filter(({ state }) => state !== 'closed');
  const broken = open.find(({ fault }) => fault !== undefined);
  if (broken !== undefined) {
    throw new HubError(
      'UNAVAILABLE',
      `the subscription "${broken.name}" of queue "${broken.queue}" ${broken.fault ?? ''}.`,
      source,
    );
  }
  const backlog: JsonObject = {};
  let largest = 0;
  for (const queue of new Set(open.filter(({ state }) => state === 'running').map((one) => one.queue))) {
    const ready = await session.queues.ready(queue);
    backlog[queue] = ready;
    largest = Math.max(largest, ready);
  }
  // Exists in every virtual host; an answer shows that the broker works and not only its socket.
  if (Object.keys(backlog).length === 0) {
    await session.rpc.run('healthCheck', (channel) => channel.checkExchange('amq.direct'));
  }
  const late = backlogThreshold !== undefined && largest >= backlogThreshold;
  return {
    consumers: open.length,
    paused: open.filter(({ state }) => state === 'paused').length,
    unconfirmed: session.publisher.pending,
    backlog,
    ...(publish.blocked === undefined ? {} : { blocked: publish.blocked }),
    ...(late || publish.blocked !== undefined ? { degraded: true } : {}),
  };
}
