import type { RabbitMQPluginOptions } from '../../src/datastream/drivers/rabbitmq/rabbitmq.options.js';
import { RabbitMQPlugin } from '../../src/datastream/drivers/rabbitmq/rabbitmq.plugin.js';
import { GuardedRoom } from '../support/guarded-room.js';

/** Plugins of a suite on RabbitMQ, and what they log. */
export class PluginRoom extends GuardedRoom<RabbitMQPluginOptions, RabbitMQPlugin> {
  protected make(options: RabbitMQPluginOptions): RabbitMQPlugin {
    return new RabbitMQPlugin(options);
  }
}
