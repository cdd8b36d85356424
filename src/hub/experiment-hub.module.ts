import { Module, type DynamicModule } from '@nestjs/common';
import type { HubConfig } from '../config/index.js';
import type { DriverDescriptor } from '../core/driver.js';
import { HubError } from '../core/errors.js';
import { PluginRegistry } from '../core/plugin-registry.js';
import type { PluginOptions } from '../core/plugin-options.js';
import { DataStreamModule } from '../datastream/datastream.module.js';
import { MLOpsModule } from '../mlops/mlops.module.js';
import { TaskQueueModule } from '../taskqueue/taskqueue.module.js';
import { ConfiguredTypes } from './configured-types.js';
import { ExperimentsModule } from './experiments.module.js';
import { HUB_CONFIG, HubConfigModule, type HubConfigAsyncOptions, type HubConfigSource } from './hub-config.module.js';
import { HubModule, type HubModuleOptions } from './hub.module.js';

/** What changes the hub module's shape, and so cannot come from an asynchronous configuration. */
export interface ExperimentHubModuleExtras extends HubModuleOptions {
  /**
   * Whether the plugin tokens and `HUB_CONFIG` can be injected everywhere. Default true. When false, only by the module
   * that imports the hub, and by those that import a module which exports it; `ExperimentHub` and `Experiments` stay
   * global.
   */
  isGlobal?: boolean;
  /**
   * Drivers beside the built-in ones; the configuration picks them by name. A driver of a plugin type of your own needs
   * the module of that type (`definePluginModule`) as well; a warning is logged when it is configured without it.
   */
  drivers?: readonly DriverDescriptor[];
}

/** Options of `ExperimentHubModule.forRoot`. */
export type ExperimentHubModuleOptions = HubConfigSource & ExperimentHubModuleExtras;

/** Options of `ExperimentHubModule.forRootAsync`. */
export type ExperimentHubModuleAsyncOptions = HubConfigAsyncOptions & ExperimentHubModuleExtras;

/**
 * The whole hub in one import: the three plugin modules, their health, and experiments. Import it once, in the root
 * module, and inject `MLOpsPlugin`, `DataStreamPlugin`, `TaskQueuePlugin`, `ExperimentHub` and `HUB_CONFIG` anywhere.
 */
@Module({})
export class ExperimentHubModule {
  /**
   * Configuration from `config/hub_config.yaml` (or `HUB_CONFIG_PATH`, or `configPath`), or from an object.
   * A bad one throws `CONFIG_INVALID` with every fault.
   */
  static forRoot(options: ExperimentHubModuleOptions = {}): DynamicModule {
    checkKeys(options);
    return compose(HubConfigModule.load(options, options.drivers ?? []), options);
  }

  /** Configuration from providers: `useFactory` with `inject`, `useClass` or `useExisting`, and the extras beside them. */
  static forRootAsync({ isGlobal, drivers, health, ...options }: ExperimentHubModuleAsyncOptions): DynamicModule {
    const extras: ExperimentHubModuleExtras = {
      ...(isGlobal === undefined ? {} : { isGlobal }),
      ...(drivers === undefined ? {} : { drivers }),
      ...(health === undefined ? {} : { health }),
    };
    return compose(HubConfigModule.loadAsync(options, drivers ?? []), extras);
  }
}

/** What TypeScript tells, for callers in JavaScript: a configuration in the wrong place would be ignored. */
function checkKeys(options: object): void {
  const known = ['config', 'configPath', 'isGlobal', 'drivers', 'health'];
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new HubError(
    'CONFIG_INVALID',
    `ExperimentHubModule.forRoot has no option "${unknown}". It takes ${known.join(', ')}; plugins, global and experiments ` +
      'belong into config: forRoot({ config: { plugins: … } }).',
  );
}

/** Hands what the `global` block says to the registry, which is built before any configuration is known. */
const applyGlobals = {
  provide: Symbol('hub globals'),
  inject: [HUB_CONFIG, PluginRegistry],
  useFactory: ({ global }: HubConfig, registry: PluginRegistry): HubConfig['global'] => {
    registry.shutdownTimeout = global.shutdownTimeout;
    registry.logger.level = global.logLevel;
    return global;
  },
};

function compose(
  source: DynamicModule,
  { isGlobal = true, drivers = [], health }: ExperimentHubModuleExtras,
): DynamicModule {
  // One object for all who import it: Nest would take a copy for another module.
  const config: DynamicModule = { ...source, global: isGlobal };
  const block = (type: string) => ({
    imports: [config],
    inject: [HUB_CONFIG],
    useFactory: (hub: HubConfig): PluginOptions => hub.plugins[type] ?? {},
    isGlobal,
    drivers,
  });
  const plugins = [
    MLOpsModule.forRootAsync(block('mlops')),
    DataStreamModule.forRootAsync(block('datastream')),
    TaskQueueModule.forRootAsync(block('taskqueue')),
  ];
  const hub = HubModule.forRoot({
    ...(health === undefined ? {} : { health }),
    imports: [config, ExperimentsModule.register(config, plugins)],
    providers: [applyGlobals, ConfiguredTypes],
  });
  return {
    module: ExperimentHubModule,
    imports: [config, ...plugins, hub],
    exports: [config, ...plugins],
  };
}
