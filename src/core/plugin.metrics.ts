import type { MetricDefinition } from './telemetry.js';

/** Upper bounds in seconds, for calls of backends and handlers: from a local store to a slow task. */
export const DURATION_BUCKETS: readonly number[] = [
  0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** Which plugin it is: its type, the name it is registered under, and its driver. */
export type PluginLabels = Readonly<Record<'type' | 'name' | 'driver', string>>;

/** What is told of every plugin. */
export const PLUGIN_METRICS = {
  up: {
    name: 'plugin_up',
    type: 'gauge',
    help: '1 when the plugin is up, as the hub last saw it; otherwise 0.',
    labels: ['type', 'name', 'driver'],
  },
  ready: {
    name: 'plugin_ready',
    type: 'gauge',
    help: '1 when the plugin takes calls, also one whose backend is only half there; otherwise 0.',
    labels: ['type', 'name', 'driver'],
  },
  healthCheck: {
    name: 'plugin_health_check_duration_seconds',
    type: 'histogram',
    help: 'How long health checks took.',
    labels: ['type', 'name', 'driver', 'outcome'],
    buckets: DURATION_BUCKETS,
  },
  operation: {
    name: 'operation_duration_seconds',
    type: 'histogram',
    help: 'How long calls of plugins took.',
    labels: ['type', 'name', 'driver', 'operation', 'outcome'],
    buckets: DURATION_BUCKETS,
  },
  inFlight: {
    name: 'operations_in_flight',
    type: 'upDown',
    help: 'Calls of plugins under way.',
    labels: ['type', 'name', 'driver'],
  },
} as const satisfies Record<string, MetricDefinition>;
