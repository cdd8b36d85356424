import { defineDriver } from '../../../core/driver.js';
import { celerySchema, type CeleryOptions } from './celery.options.js';

export type {
  CeleryCanvasOptions,
  CeleryExtras,
  CeleryGroup,
  CelerySignature,
  CelerySubmitOptions,
} from './celery.extras.js';
export type { CeleryEvent } from './control/celery-events.js';
export type { InspectAnswer, InspectMethod } from './control/inspect.js';
export type { CeleryOptions, CeleryPluginOptions } from './celery.options.js';
export type { CeleryPlugin } from './celery.plugin.js';

/** Tasks for Celery workers, over RabbitMQ or Redis. See README.md. */
export default defineDriver<CeleryOptions>({
  type: 'taskqueue',
  name: 'celery',
  label: 'Celery',
  peers: ['@golevelup/nestjs-rabbitmq', 'amqplib', 'ioredis'],
  schema: celerySchema,
  load: async () => (await import('./celery.module.js')).CeleryDriverModule,
});
