import { Module, type DynamicModule } from '@nestjs/common';
import { TaskQueuePlugin } from '../../taskqueue.plugin.js';
import type { LocalTaskQueueOptions } from './local.options.js';
import { LocalTaskQueuePlugin } from './local.plugin.js';

/** Nest module of the driver `taskqueue/local`. */
@Module({})
export class LocalTaskQueueDriverModule {
  /** Provides {@link LocalTaskQueuePlugin} as {@link TaskQueuePlugin}. */
  static register(options: LocalTaskQueueOptions): DynamicModule {
    return {
      module: LocalTaskQueueDriverModule,
      providers: [{ provide: TaskQueuePlugin, useFactory: () => new LocalTaskQueuePlugin(options) }],
      exports: [TaskQueuePlugin],
    };
  }
}
