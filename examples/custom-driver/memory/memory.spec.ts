import { datastreamContract } from 'nestjs-experiment-hub/datastream/contract';
import * as vitest from 'vitest';
import { MemoryDataStreamPlugin } from './memory.plugin.js';

datastreamContract(vitest, 'memory', {
  create: async () => new MemoryDataStreamPlugin({ maxPayloadBytes: 65_536 }),
});
