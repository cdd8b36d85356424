import type { Registry } from 'prom-client';
import { peerError } from '../core/peer-error.js';
import { PLUGIN_METRICS } from '../core/plugin.metrics.js';
import type { PluginEntry } from '../core/plugin-entry.js';
import type { PluginRegistry } from '../core/plugin-registry.js';
import type { TelemetryParts } from './hub-telemetry.js';
import { HUB_METRICS } from './metric-definitions.js';
import { PrometheusMeter } from './prometheus-meter.js';
import { metricsOptions, type HubTelemetryOptions } from './telemetry.options.js';
import { Tracing } from './tracing.js';

/** A metric of prom-client's defaults, by which they are recognised. */
const A_DEFAULT_METRIC = 'process_cpu_user_seconds_total';

/** Loads what the options ask for. Rejects with `PEER_MISSING`. */
export async function telemetryParts(options: HubTelemetryOptions, plugins: PluginRegistry): Promise<TelemetryParts> {
  const metrics = metricsOptions(options);
  const parts: TelemetryParts = { tracing: undefined, meter: undefined, registry: undefined };
  if (options.tracing === true) {
    const api = await peer(() => import('@opentelemetry/api'), '@opentelemetry/api');
    parts.tracing = new Tracing(api, (text) => plugins.logger.redact(text));
  }
  if (metrics !== undefined) {
    const client = await peer(() => import('prom-client'), 'prom-client');
    const registry = (metrics.registry ?? new client.Registry()) as Registry;
    if (metrics.defaultMetrics === true && registry.getSingleMetric(A_DEFAULT_METRIC) === undefined) {
      client.collectDefaultMetrics({ register: registry });
    }
    const meter = new PrometheusMeter(client, registry, metrics.prefix ?? 'experiment_hub_');
    defineAll(meter, plugins);
    parts.meter = meter;
    parts.registry = registry;
  }
  return parts;
}

function defineAll(meter: PrometheusMeter, plugins: PluginRegistry): void {
  const rows = (value: (entry: PluginEntry) => boolean) => () =>
    plugins.entries.map((entry) => ({ labels: { ...entry.labels }, value: Number(value(entry)) }));
  meter.define(
    PLUGIN_METRICS.up,
    rows(({ state }) => state === 'up'),
  );
  meter.define(
    PLUGIN_METRICS.ready,
    rows(({ state, ready }) => state === 'up' || (state === 'down' && ready)),
  );
  for (const metric of HUB_METRICS) {
    if (metric !== PLUGIN_METRICS.up && metric !== PLUGIN_METRICS.ready) meter.define(metric);
  }
}

async function peer<T>(load: () => Promise<T>, name: string): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw peerError(error, [name], { plugin: 'telemetry' }) ?? error;
  }
}
