import { PluginRegistry } from '../../src/core/plugin-registry.js';
import type { HubPlugin } from '../../src/core/plugin.js';
import { HubTelemetry } from '../../src/telemetry/index.js';
import { telemetryParts } from '../../src/telemetry/telemetry-parts.js';

/** The plugin, with tracing and metrics as an application with both has them. */
export async function observed<Plugin extends HubPlugin>(plugin: Plugin): Promise<Plugin> {
  const registry = new PluginRegistry();
  registry.add(plugin);
  registry.observe(new HubTelemetry(await telemetryParts({ tracing: true, metrics: true }, registry)));
  return plugin;
}
