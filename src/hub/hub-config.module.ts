import { ConfigurableModuleBuilder, Module, type DynamicModule } from '@nestjs/common';
import type { DriverDescriptor } from '../core/driver.js';
import {
  hubConfigFactory,
  loadHubConfig,
  validateHubConfig,
  type HubConfig,
  type HubOptions,
} from '../config/index.js';
import { experimentsSchema } from '../experiment/index.js';
import { builtInDrivers } from './built-in-drivers.js';

/** Injects the validated {@link HubConfig} of the application. */
export const HUB_CONFIG = Symbol.for('nestjs-experiment-hub.HUB_CONFIG');

/**
 * Configuration namespace for `@nestjs/config`, with the built-in drivers:
 * `ConfigModule.forRoot({ load: [hubConfig] })`, then
 * `ExperimentHubModule.forRootAsync({ inject: [hubConfig.KEY], useFactory: (config: HubConfig) => config })`.
 */
export const hubConfig = hubConfigFactory({ drivers: builtInDrivers(), experimentsSchema });

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, ASYNC_OPTIONS_TYPE } = new ConfigurableModuleBuilder<HubOptions>(
  { moduleName: 'HubConfig' },
)
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createHubConfig')
  .build();

/** The asynchronous ways to give a configuration: `useFactory`, `useClass` (method `createHubConfig`), `useExisting`. */
export type HubConfigAsyncOptions = typeof ASYNC_OPTIONS_TYPE;

/** Where a synchronous configuration comes from. */
export interface HubConfigSource {
  /** The configuration as an object, instead of a file. */
  config?: HubOptions;
  /** Path of the YAML file. Default: `HUB_CONFIG_PATH`, then `config/hub_config.yaml`. */
  configPath?: string;
}

/**
 * Validates the configuration once and provides it as {@link HUB_CONFIG} to the plugin modules and the hub.
 * @internal
 */
@Module({})
export class HubConfigModule extends ConfigurableModuleClass {
  /** From the file or an object; a bad configuration throws `CONFIG_INVALID` here, before Nest builds anything. */
  static load({ config, configPath }: HubConfigSource, drivers: readonly DriverDescriptor[]): DynamicModule {
    const schemas = { drivers: builtInDrivers(drivers), experimentsSchema };
    const value =
      config === undefined
        ? loadHubConfig({ ...schemas, ...(configPath === undefined ? {} : { path: configPath }) })
        : validateHubConfig(config, schemas);
    return provideConfig({ module: HubConfigModule }, { provide: HUB_CONFIG, useValue: value });
  }

  /** From providers of the application. */
  static loadAsync(options: HubConfigAsyncOptions, drivers: readonly DriverDescriptor[]): DynamicModule {
    return provideConfig(super.forRootAsync(options), {
      provide: HUB_CONFIG,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (config: HubOptions): HubConfig =>
        validateHubConfig(config, { drivers: builtInDrivers(drivers), experimentsSchema }),
    });
  }
}

type ConfigProvider = Extract<NonNullable<DynamicModule['providers']>[number], { provide: unknown }>;

function provideConfig(module: DynamicModule, provider: ConfigProvider): DynamicModule {
  return { ...module, providers: [...(module.providers ?? []), provider], exports: [HUB_CONFIG] };
}
