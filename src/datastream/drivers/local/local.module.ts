import { Module, type DynamicModule } from '@nestjs/common';
import { DataStreamPlugin } from '../../datastream.plugin.js';
import type { LocalDataStreamOptions } from './local.options.js';
import { LocalDataStreamPlugin } from './local.plugin.js';

/** Nest module of the driver `datastream/local`. */
@Module({})
export class LocalDataStreamDriverModule {
  /** Provides {@link LocalDataStreamPlugin} as {@link DataStreamPlugin}. */
  static register(options: LocalDataStreamOptions): DynamicModule {
    return {
      module: LocalDataStreamDriverModule,
      providers: [{ provide: DataStreamPlugin, useFactory: () => new LocalDataStreamPlugin(options) }],
      exports: [DataStreamPlugin],
    };
  }
}
