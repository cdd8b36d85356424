import { Module, type DynamicModule } from '@nestjs/common';
import { LifecycleModule } from '../core/lifecycle.module.js';
import { PluginRegistry } from '../core/plugin-registry.js';
import { HubTelemetry } from './hub-telemetry.js';
import { createMetricsController } from './metrics.controller.js';
import { telemetryParts } from './telemetry-parts.js';
import { metricsOptions, type HubTelemetryOptions } from './telemetry.options.js';

/**
 * Traces and measures what the plugins and experiments of an application do; see docs/observability.md. Import it once,
 * beside `ExperimentHubModule` or the plugin modules. Provides {@link HubTelemetry} everywhere.
 */
@Module({})
export class HubTelemetryModule {
  /**
   * Switches on what `options` name. `CONFIG_INVALID` for options that do not go together; the boot fails with
   * `PEER_MISSING` when `@opentelemetry/api` or `prom-client` is needed and not installed, and with `ALREADY_EXISTS`
   * when it is imported twice.
   */
  static forRoot(options: HubTelemetryOptions = {}): DynamicModule {
    const metrics = metricsOptions(options);
    return {
      module: HubTelemetryModule,
      global: true,
      imports: [LifecycleModule, ...(options.imports ?? [])],
      controllers: metrics?.path === undefined ? [] : [createMetricsController(metrics)],
      providers: [
        {
          provide: HubTelemetry,
          inject: [PluginRegistry],
          useFactory: async (registry: PluginRegistry): Promise<HubTelemetry> => {
            const telemetry = new HubTelemetry(await telemetryParts(options, registry));
            registry.observe(telemetry);
            return telemetry;
          },
        },
      ],
      exports: [HubTelemetry],
    };
  }
}
