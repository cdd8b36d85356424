import { Module, type DynamicModule } from '@nestjs/common';
import type { HubConfig } from '../config/index.js';
import { LifecycleModule } from '../core/lifecycle.module.js';
import { PluginRegistry } from '../core/plugin-registry.js';
import { DataStreamPlugin } from '../datastream/datastream.plugin.js';
import { Experiments, type ExperimentDefinition } from '../experiment/index.js';
import { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import { TaskQueuePlugin } from '../taskqueue/taskqueue.plugin.js';
import { ExperimentsLifecycle } from './experiments.lifecycle.js';
import { HUB_CONFIG } from './hub-config.module.js';

/**
 * Provides {@link Experiments} with the experiments of the configuration.
 * @internal
 */
@Module({})
export class ExperimentsModule {
  /**
   * @param config the module that exports `HUB_CONFIG`
   * @param plugins the three plugin modules, the very objects that the hub imports: Nest tells dynamic modules apart by
   *   reference, and a copy would open a second plugin
   */
  static register(config: DynamicModule, plugins: readonly DynamicModule[]): DynamicModule {
    return {
      module: ExperimentsModule,
      // Experiments are asked for wherever the hub is, so they are as global as it is.
      global: true,
      imports: [config, LifecycleModule, ...plugins],
      providers: [
        {
          provide: Experiments,
          inject: [MLOpsPlugin, DataStreamPlugin, TaskQueuePlugin, PluginRegistry, HUB_CONFIG],
          useFactory: createExperiments,
        },
        ExperimentsLifecycle,
      ],
      exports: [Experiments],
    };
  }
}

function createExperiments(
  mlops: MLOpsPlugin,
  stream: DataStreamPlugin,
  tasks: TaskQueuePlugin,
  registry: PluginRegistry,
  config: HubConfig<ExperimentDefinition>,
): Experiments {
  const experiments = new Experiments(mlops, stream, tasks, {
    workDir: config.global.workDir,
    logger: registry.logger,
    telemetry: registry.telemetry,
  });
  for (const definition of config.experiments) experiments.define(definition);
  return experiments;
}
