import { ConfigurableModuleBuilder, type DynamicModule, type Provider, type Type } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { HealthIndicatorService } from '@nestjs/terminus';
import { disabledPlugin } from './disabled-plugin.js';
import type { DriverDescriptor } from './driver.js';
import { loadDriver } from './driver-loader.js';
import { LifecycleModule } from './lifecycle.module.js';
import { PluginHealthIndicator } from './plugin-health.js';
import { resolvePluginOptions, type PluginOptions } from './plugin-options.js';
import { PluginRegistry } from './plugin-registry.js';
import type { HubPlugin } from './plugin.js';

/** What changes the shape of a plugin module, and so has to be known before its options are. */
export interface PluginModuleExtras {
  /** Whether the token can be injected everywhere without importing the module again. Default true. */
  isGlobal?: boolean;
  /** Drivers beside the built-in ones. */
  drivers?: readonly DriverDescriptor[];
  /**
   * Name of a further plugin of the same type in one application. It is injected with `@InjectPlugin(Token, name)` and
   * reached with `hub.getPlugin(type, name)`. Default: none, the plugin is injected by its class.
   */
  name?: string | undefined;
}

/** What a plugin type is made of. */
export interface PluginTypeDefinition<Plugin extends HubPlugin> {
  /** Key under `plugins` in the configuration. */
  type: string;
  /** Abstract class that serves as injection token. */
  token: abstract new (...args: never[]) => Plugin;
  /** Built-in drivers. */
  drivers: readonly DriverDescriptor[];
  /** Terminus indicator of the type. */
  health: Type<PluginHealthIndicator>;
  /** Further providers, such as the explorer of a decorator. */
  providers?: Provider[];
  /** Modules that those providers need. */
  imports?: Type[];
}

/**
 * The injection token of a plugin: the class itself, or a token of its own for a named one.
 * @param token the plugin type's abstract class
 */
export function getPluginToken<T extends abstract new (...args: never[]) => HubPlugin>(
  token: T,
  name?: string,
): T | string {
  return name === undefined ? token : `${token.name}:${name}`;
}

/**
 * Builds the Nest module class of a plugin type, with `forRoot` / `forRootAsync`. Also for plugin types of your own.
 */
// The return type is that of ConfigurableModuleBuilder, which cannot be written down shorter than it is inferred.
export function definePluginModule<Plugin extends HubPlugin>(definition: PluginTypeDefinition<Plugin>) {
  const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<PluginOptions>({
    moduleName: definition.token.name,
  })
    .setClassMethodName('forRoot')
    // Every extra has to be named here: the builder takes what it does not know for an option.
    .setExtras<PluginModuleExtras>({ isGlobal: true, drivers: [], name: undefined }, (module, extras) =>
      shape(module, extras, definition, MODULE_OPTIONS),
    )
    .build();
  const MODULE_OPTIONS: string | symbol = MODULE_OPTIONS_TOKEN;
  return { ConfigurableModuleClass };
}

function shape<Plugin extends HubPlugin>(
  module: DynamicModule,
  extras: PluginModuleExtras,
  definition: PluginTypeDefinition<Plugin>,
  optionsToken: string | symbol,
): DynamicModule {
  const { type, token, drivers, health, providers = [], imports = [] } = definition;
  const pluginToken = getPluginToken(token, extras.name);
  const plugin: Provider = {
    provide: pluginToken,
    inject: [optionsToken, LazyModuleLoader, PluginRegistry],
    useFactory: async (options: PluginOptions, loader: LazyModuleLoader, registry: PluginRegistry) => {
      const resolved = resolvePluginOptions(type, [...drivers, ...(extras.drivers ?? [])], options);
      if (!resolved.enabled) {
        registry.addDisabled(type);
        return disabledPlugin(type, token);
      }
      const { driver, config, initTimeout, redactor } = resolved;
      const instance = await loadDriver(driver, config, loader, token, initTimeout).catch((error: unknown) => {
        throw redactor.error(error);
      });
      registry.add(instance, { ...resolved, name: extras.name ?? driver.name, named: extras.name !== undefined });
      return instance;
    },
  };
  // A named plugin is a second one of its type: indicator and explorers belong to the first.
  const once = extras.name === undefined ? [HealthIndicatorService, health, ...providers] : [];
  return {
    ...module,
    global: extras.isGlobal ?? true,
    imports: [...(module.imports ?? []), LifecycleModule, ...imports],
    providers: [...(module.providers ?? []), plugin, ...once],
    exports: [...(module.exports ?? []), pluginToken, ...(extras.name === undefined ? [health] : [])],
  };
}
