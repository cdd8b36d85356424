import { Module, type DynamicModule } from '@nestjs/common';
import { DataStreamPlugin } from '../../datastream.plugin.js';
import type { RabbitMQOptions } from './rabbitmq.options.js';
import { RabbitMQPlugin } from './rabbitmq.plugin.js';

/** Nest module of the driver `datastream/rabbitmq`. */
@Module({})
export class RabbitMQDriverModule {
  /** Provides {@link RabbitMQPlugin} as {@link DataStreamPlugin}. */
  static register(options: RabbitMQOptions): DynamicModule {
    return {
      module: RabbitMQDriverModule,
      providers: [{ provide: DataStreamPlugin, useFactory: () => new RabbitMQPlugin(options) }],
      exports: [DataStreamPlugin],
    };
  }
}
