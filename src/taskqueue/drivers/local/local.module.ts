import { Module, type DynamicModule } from '@nestjs/common';
import { TaskQueuePlugin } from '../../taskqueue.plugin.js';
import type { LocalTaskQueueOptions } from './local.options.js';
import { LocalTaskQueuePlugin } from './local.plugin.js';

/** Nest module of the `local` task queue; built by the driver's descriptor. */
@Module({})
export class LocalTaskQueueModule {
  static register(options: LocalTaskQueueOptions): DynamicModule {
    return {
      module: LocalTaskQueueModule,
      providers: [{ provide: TaskQueuePlugin, useFactory: () => new LocalTaskQueuePlugin(options) }],
      exports: [TaskQueuePlugin],
    };
  }
}
