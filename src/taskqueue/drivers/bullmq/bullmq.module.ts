import { Module, type DynamicModule } from '@nestjs/common';
import { TaskQueuePlugin } from '../../taskqueue.plugin.js';
import type { BullMQOptions } from './bullmq.options.js';
import { BullMQPlugin } from './bullmq.plugin.js';

/** Nest module of the driver `taskqueue/bullmq`. */
@Module({})
export class BullMQDriverModule {
  /** Provides {@link BullMQPlugin} as {@link TaskQueuePlugin}. */
  static register(options: BullMQOptions): DynamicModule {
    return {
      module: BullMQDriverModule,
      providers: [{ provide: TaskQueuePlugin, useFactory: () => new BullMQPlugin(options) }],
      exports: [TaskQueuePlugin],
    };
  }
}
