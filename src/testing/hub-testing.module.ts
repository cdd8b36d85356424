import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import type { HubOptions } from '../config/index.js';
import type { PluginOptions } from '../core/plugin-options.js';
import { IN_MEMORY } from '../embedded/store.options.js';
import { ExperimentHubModule, type ExperimentHubModuleExtras } from '../hub/experiment-hub.module.js';

/** Options of {@link HubTestingModule.forRoot}. */
export interface HubTestingModuleOptions extends ExperimentHubModuleExtras {
  /** Replaces the block of single plugin types or other parts; what is not given is the local driver in memory. */
  config?: HubOptions;
}

/** Removes the folder of the experiments' files when the application closes. */
class TemporaryWorkDir implements OnApplicationShutdown {
  readonly path = join(tmpdir(), `hub-testing-${randomUUID()}`);

  async onApplicationShutdown(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

const inMemory: PluginOptions = { type: 'local', config: { dataDir: IN_MEMORY } };

/**
 * The whole hub for an application's tests: real local drivers that keep everything in memory, no configuration file,
 * no health controller unless asked for. Every application gets a stack of its own, so tests can run side by side.
 */
@Module({})
export class HubTestingModule {
  /**
   * `ExperimentHubModule.forRoot` with `dataDir: ':memory:'` for the three plugins, `health: false`, and a `workDir` in
   * the system's folder for temporary files, which is removed when the application closes. Reads no file.
   * A bad `config` throws `CONFIG_INVALID` with every fault.
   * @param options.config replaces the whole block of each plugin type that it names
   */
  static forRoot({ config = {}, health = false, ...extras }: HubTestingModuleOptions = {}): DynamicModule {
    const plugins = { mlops: inMemory, datastream: inMemory, taskqueue: inMemory, ...config.plugins };
    const work = new TemporaryWorkDir();
    const global = { workDir: work.path, ...config.global };
    const hub = ExperimentHubModule.forRoot({ ...extras, health, config: { ...config, global, plugins } });
    return {
      module: HubTestingModule,
      imports: [hub],
      exports: [hub],
      providers: [{ provide: TemporaryWorkDir, useValue: work }],
    };
  }
}
