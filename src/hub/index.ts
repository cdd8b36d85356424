export { builtInDrivers } from './built-in-drivers.js';
export { ExperimentHub, type RegisterPluginOptions } from './experiment-hub.js';
export {
  ExperimentHubModule,
  type ExperimentHubModuleAsyncOptions,
  type ExperimentHubModuleExtras,
  type ExperimentHubModuleOptions,
} from './experiment-hub.module.js';
export { HUB_CONFIG, hubConfig, type HubConfigAsyncOptions, type HubConfigSource } from './hub-config.module.js';
export { HubHealthIndicator, type HubHealthOptions } from './hub-health.indicator.js';
export { HubModule, type HubModuleOptions } from './hub.module.js';
