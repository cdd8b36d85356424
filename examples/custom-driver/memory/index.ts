import { defineDriver } from 'nestjs-experiment-hub';
import { memorySchema, type MemoryOptions } from './memory.options.js';

/** The descriptor: what the hub knows before it loads the driver. It imports nothing heavy. */
export default defineDriver<MemoryOptions>({
  type: 'datastream',
  name: 'memory',
  label: 'Memory (arrays and timers)',
  peers: [],
  schema: memorySchema,
  load: async () => (await import('./memory.module.js')).MemoryDriverModule,
});
