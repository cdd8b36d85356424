import { Module, type DynamicModule } from '@nestjs/common';
import { TaskQueuePlugin } from '../../taskqueue.plugin.js';
import type { BullMQOptions } from './bullmq.options.js';
import { BullMQPlugin } from './bullmq.plugin.js';
import { pluginOnShared, SHARED_CONFIG, sharedConfigModule } from './bullmq.shared-config.js';

/** Nest module of the driver `taskqueue/bullmq`. */
@Module({})
export class BullMQDriverModule {
  /** Provides {@link BullMQPlugin} as {@link TaskQueuePlugin}. */
  static register(options: BullMQOptions): DynamicModule {
    const { sharedConfig } = options;
    const module = { module: BullMQDriverModule, exports: [TaskQueuePlugin] };
    if (sharedConfig === undefined) {
      return { ...module, providers: [{ provide: TaskQueuePlugin, useFactory: () => new BullMQPlugin(options) }] };
    }
    return {
      ...module,
      imports: [sharedConfigModule(sharedConfig)],
      providers: [
        {
          provide: TaskQueuePlugin,
          inject: [SHARED_CONFIG],
          useFactory: (config: unknown) => pluginOnShared(options, config),
        },
      ],
    };
  }
}
