import type { DynamicModule } from '@nestjs/common';
import type { HubOptions } from '../config/index.js';
import type { PluginOptions } from '../core/plugin-options.js';
import { IN_MEMORY } from '../embedded/store.options.js';
import { ExperimentHubModule, type ExperimentHubModuleExtras } from '../hub/experiment-hub.module.js';

/** Options of {@link HubTestingModule.forRoot}. */
export interface HubTestingModuleOptions extends ExperimentHubModuleExtras {
  /** Replaces the block of single plugin types or other parts; what is not given is the local driver in memory. */
  config?: HubOptions;
}

const inMemory: PluginOptions = { type: 'local', config: { dataDir: IN_MEMORY } };

/**
 * The whole hub for an application's tests: real local drivers that keep everything in memory, no configuration file,
 * no health controller unless asked for. Every application gets a stack of its own, so tests can run side by side.
 */
export class HubTestingModule {
  static forRoot({ config = {}, health = false, ...extras }: HubTestingModuleOptions = {}): DynamicModule {
    const plugins = { mlops: inMemory, datastream: inMemory, taskqueue: inMemory, ...config.plugins };
    return ExperimentHubModule.forRoot({ ...extras, health, config: { ...config, plugins } });
  }
}
