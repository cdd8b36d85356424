import { Global, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { LifecycleModule } from '../core/lifecycle.module.js';
import { ExperimentHub } from './experiment-hub.js';
import { createHealthController } from './hub-health.controller.js';
import { HUB_HEALTH_OPTIONS, HubHealthIndicator, type HubHealthOptions } from './hub-health.indicator.js';

/** Options of {@link HubModule.register}. */
export interface HubModuleOptions {
  /** The built-in health controller, or `false` for none. Default `{ path: 'health' }`. */
  health?: HubHealthOptions | false;
}

/** What `ExperimentHubModule` hands on. */
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
  static register({ health = {}, imports = [], providers = [] }: HubModuleParts = {}): DynamicModule {
    const options = health === false ? {} : health;
    return {
      module: HubModule,
      // Terminus would log every failed probe; the hub logs each change of state once.
      imports: [...imports, LifecycleModule, TerminusModule.forRoot({ logger: false })],
      controllers: health === false ? [] : [createHealthController(options.path)],
      providers: [ExperimentHub, HubHealthIndicator, { provide: HUB_HEALTH_OPTIONS, useValue: options }, ...providers],
      exports: [ExperimentHub, HubHealthIndicator],
    };
  }
}
