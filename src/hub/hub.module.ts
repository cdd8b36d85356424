import { Global, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { LifecycleModule } from '../core/lifecycle.module.js';
import { ExperimentHub } from './experiment-hub.js';
import { createHealthController } from './hub-health.controller.js';
import { HUB_HEALTH_OPTIONS, HubHealthIndicator, type HubHealthOptions } from './hub-health.indicator.js';

/** Options of {@link HubModule.forRoot}. */
export interface HubModuleOptions {
  /** The built-in health controller, or `false` for none. Default `{ path: 'health' }`. */
  health?: HubHealthOptions | false;
}

/** What `ExperimentHubModule` hands on. @internal */
interface HubModuleParts extends HubModuleOptions {
  imports?: DynamicModule[];
  providers?: Provider[];
}

/**
 * Holds {@link ExperimentHub} and the aggregated health of whatever plugins are registered. `ExperimentHubModule`
 * imports it; import it yourself when you compose plugin modules one by one.
 */
@Global()
@Module({})
export class HubModule {
  /**
   * Makes `ExperimentHub` and `HubHealthIndicator` global and adds the health controller. Import it once: a second hub in
   * one application is `ALREADY_EXISTS`.
   * @param options.health options of the built-in controller, or `false` for none; default: it answers at `/health`
   */
  static forRoot({ health = {}, imports = [], providers = [] }: HubModuleParts = {}): DynamicModule {
    const options = health === false ? {} : health;
    return {
      module: HubModule,
      imports: [
        ...imports,
        LifecycleModule,
        // Terminus would log every failed probe; the hub logs each change of state once. Its delay comes after
        // onModuleDestroy, where the registry turns readiness off and drains begin, and before HTTP closes.
        TerminusModule.forRoot({ logger: false, gracefulShutdownTimeoutMs: options.drainDelay ?? 0 }),
      ],
      controllers: health === false ? [] : [createHealthController(options.path)],
      providers: [ExperimentHub, HubHealthIndicator, { provide: HUB_HEALTH_OPTIONS, useValue: options }, ...providers],
      exports: [ExperimentHub, HubHealthIndicator],
    };
  }
}
