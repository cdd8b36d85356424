import { Module, type DynamicModule } from '@nestjs/common';
import { MLOpsPlugin } from '../../mlops.plugin.js';
import type { LocalMLOpsOptions } from './local.options.js';
import { LocalMLOpsPlugin } from './local.plugin.js';

/** Nest module of the driver `mlops/local`. */
@Module({})
export class LocalMLOpsDriverModule {
  /** Provides {@link LocalMLOpsPlugin} as {@link MLOpsPlugin}. */
  static register(options: LocalMLOpsOptions): DynamicModule {
    return {
      module: LocalMLOpsDriverModule,
      providers: [{ provide: MLOpsPlugin, useFactory: () => new LocalMLOpsPlugin(options) }],
      exports: [MLOpsPlugin],
    };
  }
}
