import { Module, type DynamicModule } from '@nestjs/common';
import { DataStreamPlugin } from '../../datastream.plugin.js';
import type { LocalDataStreamOptions } from './local.options.js';
import { LocalDataStreamPlugin } from './local.plugin.js';

/** Nest module of the `local` datastream driver. */
@Module({})
export class LocalDataStreamModule {
  /** @param options validated against the driver's schema, defaults filled in */
  static register(options: LocalDataStreamOptions): DynamicModule {
    return {
      module: LocalDataStreamModule,
      providers: [{ provide: DataStreamPlugin, useFactory: () => new LocalDataStreamPlugin(options) }],
      exports: [DataStreamPlugin],
    };
  }
}
