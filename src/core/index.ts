export * from './errors.js';
export type { JsonObject, JsonValue } from './json.js';
export type { AppValue, GetProvider } from './app-value.js';
export type { ObservedCalls } from './observed-calls.js';
export { HubPlugin, type PluginHealth, type PluginPhase } from './plugin.js';
export type { PluginOfType, PluginTypeName, PluginTypes } from './plugin-types.js';
/** The Joi of this package, for drivers' schemas: Joi cannot mix schemas of different versions. */
export { default as Joi } from 'joi';
export { defineDriver, type DriverDescriptor, type DriverModuleClass } from './driver.js';
export {
  definePluginModule,
  getPluginToken,
  type PluginModuleExtras,
  type PluginTypeDefinition,
} from './plugin-module.js';
export { InjectPlugin } from './inject-plugin.js';
export type { PluginOptions } from './plugin-options.js';
export type { PluginPolicy, PluginState, PluginStatus } from './plugin-entry.js';
export { PluginHealthIndicator, type HealthProbeOptions } from './plugin-health.js';
export type { HubLogLevel } from './hub-logger.js';
export { PluginRegistry } from './plugin-registry.js';
export type { RetryPolicy } from './retry.js';
export type {
  StandardSchemaIssue,
  StandardSchemaProps,
  StandardSchemaResult,
  StandardSchemaV1,
} from './standard-schema.js';
export type { ActiveSpan, MetricDefinition, SpanAttributes, SpanKind, SpanStart, TelemetrySink } from './telemetry.js';
export type { ConfigIssue } from './validate.js';
export { Redactor } from './redact.js';
