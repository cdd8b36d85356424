import { AmqpLink } from '../../../amqp/amqp.link.js';
import type { HubErrorOptions } from '../../../core/errors.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import type { RabbitMQOptions } from './rabbitmq.options.js';

/**
 * The two connections of the driver: a resource alarm of the broker freezes all of a connection that publishes, and must
 * not stop consumption.
 */
export interface RabbitMQConnections {
  readonly publish: AmqpLink;
  readonly consume: AmqpLink;
}

/** Makes the connections for one opening of the plugin; opens nothing. */
export function rabbitMQConnections(
  options: RabbitMQOptions,
  logger: StoreLogger,
  source: HubErrorOptions,
): RabbitMQConnections {
  return {
    publish: new AmqpLink(options, 'publish', logger, source),
    consume: new AmqpLink(options, 'consume', logger, source),
  };
}
