import { defineDriver } from '../../../core/driver.js';
import { localDataStreamSchema, type LocalDataStreamOptions } from './local.options.js';

export type { LocalDataStreamOptions } from './local.options.js';

/** Descriptor of the `local` driver: queues in a SQLite file of this process, nothing to install. */
export default defineDriver<LocalDataStreamOptions>({
  type: 'datastream',
  name: 'local',
  label: 'Local (embedded queue)',
  peers: [],
  schema: localDataStreamSchema,
  load: async () => (await import('./local.module.js')).LocalDataStreamDriverModule,
});
