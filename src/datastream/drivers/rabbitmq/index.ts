import { defineDriver } from '../../../core/driver.js';
import { rabbitmqSchema, type RabbitMQOptions } from './rabbitmq.options.js';

export type { RabbitMQOptions, RabbitMQPluginOptions } from './rabbitmq.options.js';
export type { RabbitMQPlugin } from './rabbitmq.plugin.js';

/** Streams over RabbitMQ 3.10 or newer. */
export default defineDriver<RabbitMQOptions>({
  type: 'datastream',
  name: 'rabbitmq',
  label: 'RabbitMQ',
  peers: ['@golevelup/nestjs-rabbitmq', 'amqplib'],
  schema: rabbitmqSchema,
  load: async () => {
    // By itself: when a CommonJS package fails deeper in the graph, Node 20 ends the process although this rejects.
    await import('@golevelup/nestjs-rabbitmq');
    return (await import('./rabbitmq.module.js')).RabbitMQDriverModule;
  },
});
