import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { HubConfig } from '../config/index.js';
import { PluginRegistry } from '../core/plugin-registry.js';
import { builtInDrivers } from './built-in-drivers.js';
import { HUB_CONFIG } from './hub-config.module.js';

/**
 * Logs a warning for each plugin type that is configured and has no plugin once the application has started: the `type`
 * of a driver in `drivers` is misspelt, or the module of a plugin type of one's own is not imported. No error, because a
 * test may have put a fake in the plugin's place.
 * @internal
 */
@Injectable()
export class ConfiguredTypes implements OnApplicationBootstrap {
  constructor(
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
    private readonly registry: PluginRegistry,
  ) {}

  onApplicationBootstrap(): void {
    // The modules of the built-in types are always imported.
    const served = new Set([...builtInDrivers(), ...this.registry.list()].map(({ type }) => type));
    for (const type of Object.keys(this.config.plugins).filter((key) => !served.has(key))) {
      this.registry.logger.warn(
        `plugins.${type} is configured and there is no plugin of that type. The types of the hub are mlops, ` +
          "datastream and taskqueue: correct the driver's type, or import the module of a type of your own " +
          '(definePluginModule).',
      );
    }
  }
}
