import { Module, type DynamicModule } from '@nestjs/common';
import { TaskQueuePlugin } from '../../taskqueue.plugin.js';
import type { CeleryOptions } from './celery.options.js';
import { CeleryPlugin } from './celery.plugin.js';

/** Nest module of the driver `taskqueue/celery`. */
@Module({})
export class CeleryDriverModule {
  /** Provides {@link CeleryPlugin} as {@link TaskQueuePlugin}. */
  static register(options: CeleryOptions): DynamicModule {
    return {
      module: CeleryDriverModule,
      providers: [{ provide: TaskQueuePlugin, useFactory: () => new CeleryPlugin(options) }],
      exports: [TaskQueuePlugin],
    };
  }
}
