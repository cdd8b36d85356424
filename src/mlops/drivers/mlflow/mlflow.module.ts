import { Module, type DynamicModule } from '@nestjs/common';
import { MLOpsPlugin } from '../../mlops.plugin.js';
import type { MLflowOptions } from './mlflow.options.js';
import { MLflowPlugin } from './mlflow.plugin.js';

/** Nest module of the driver `mlops/mlflow`. */
@Module({})
export class MLflowDriverModule {
  /** Provides {@link MLflowPlugin} as {@link MLOpsPlugin}. */
  static register(options: MLflowOptions): DynamicModule {
    return {
      module: MLflowDriverModule,
      providers: [{ provide: MLOpsPlugin, useFactory: () => new MLflowPlugin(options) }],
      exports: [MLOpsPlugin],
    };
  }
}
