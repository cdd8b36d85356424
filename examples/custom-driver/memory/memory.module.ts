import { Module, type DynamicModule } from '@nestjs/common';
import { DataStreamPlugin } from 'nestjs-experiment-hub/datastream';
import type { MemoryOptions } from './memory.options.js';
import { MemoryDataStreamPlugin } from './memory.plugin.js';

/** Builds the plugin and exports it under the token of its type. Its providers implement no Nest hooks. */
@Module({})
export class MemoryDriverModule {
  static register(options: MemoryOptions): DynamicModule {
    return {
      module: MemoryDriverModule,
      providers: [{ provide: DataStreamPlugin, useFactory: () => new MemoryDataStreamPlugin(options) }],
      exports: [DataStreamPlugin],
    };
  }
}
