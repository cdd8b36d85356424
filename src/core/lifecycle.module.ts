import { Global, Module } from '@nestjs/common';
import { PluginRegistry } from './plugin-registry.js';

/**
 * Holds the {@link PluginRegistry} of an application. Every plugin module imports it; being static, it exists once per
 * application, and being global, its hooks run before the application's own at boot and after them at shutdown.
 * @internal
 */
@Global()
@Module({ providers: [PluginRegistry], exports: [PluginRegistry] })
export class LifecycleModule {}
