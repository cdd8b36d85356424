export { HubTelemetry } from './hub-telemetry.js';
export { HubTelemetryModule } from './telemetry.module.js';
export type { HubMetricsOptions, HubTelemetryOptions, MetricsRegistry } from './telemetry.options.js';
