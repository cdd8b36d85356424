import { defineDriver } from '../../../core/driver.js';
import { localTaskQueueSchema, type LocalTaskQueueOptions } from './local.options.js';

export type { LocalTaskQueueOptions } from './local.options.js';

/** The embedded task queue: durable, for one process, nothing to install. See README.md. */
export default defineDriver<LocalTaskQueueOptions>({
  type: 'taskqueue',
  name: 'local',
  label: 'Local (embedded task queue)',
  peers: [],
  schema: localTaskQueueSchema,
  load: async () => (await import('./local.module.js')).LocalTaskQueueDriverModule,
});
