import { defineDriver } from '../../../core/driver.js';
import { bullmqSchema, type BullMQOptions } from './bullmq.options.js';

export type { BullMQOptions, BullMQPluginOptions } from './bullmq.options.js';
export type { BullMQExtras, RepeatSchedule, TaskFlow } from './bullmq.extras.js';
export type { BullMQPlugin } from './bullmq.plugin.js';

/** Tasks over BullMQ, on Redis 6.2 or newer. See README.md. */
export default defineDriver<BullMQOptions>({
  type: 'taskqueue',
  name: 'bullmq',
  label: 'BullMQ',
  peers: ['bullmq', 'ioredis'],
  schema: bullmqSchema,
  load: async () => (await import('./bullmq.module.js')).BullMQDriverModule,
});
