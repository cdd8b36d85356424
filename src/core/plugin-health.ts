import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { HubError } from './errors.js';
import type { PluginEntry } from './plugin-entry.js';
import type { PluginRegistry } from './plugin-registry.js';

/** How indicators probe. */
export interface HealthProbeOptions {
  /** Deadline of one probe, in ms. Default 3000. */
  timeout?: number;
  /** How long an answer is served again without a new probe, in ms; concurrent checks share one probe. Default 1000. */
  cacheFor?: number;
}

/**
 * Terminus result of one registered plugin under the key `type` (or `type:name` for a further plugin of the type).
 * A failed required plugin is `down`; a failed optional one, and one whose facts say `degraded: true`, is `degraded`,
 * which keeps HTTP 200. With `readiness`, so is one that takes calls although it is not healthy.
 */
export async function probePlugin(
  service: HealthIndicatorService,
  entry: PluginEntry,
  key: string,
  options: HealthProbeOptions & { readiness?: boolean } = {},
): Promise<HealthIndicatorResult> {
  const timeout = options.timeout ?? 3_000;
  const result = await service
    .check(key)
    .attempt(async () => {
      const { healthy, details } = await entry.checkHealth(timeout);
      const { status: _status, responseTime: _time, cachedResponse: _cached, ...facts } = details;
      // `attempt` reports a failure by the message of what is thrown; it is redacted already.
      if (!healthy) throw new HubError('UNAVAILABLE', String(details['message'] ?? 'unhealthy'));
      return facts;
    })
    // The plugin keeps the deadline itself; this one is the net for a driver that blocks inside its probe.
    .withTimeout(timeout + 500)
    .cacheFor(options.cacheFor ?? 1_000);
  const found = result[key];
  if (found === undefined) return result;
  const { status, ...facts } = found;
  const isTolerated = !entry.policy.required || (options.readiness === true && entry.ready);
  const isDegraded = status === 'up' ? facts['degraded'] === true : status === 'down' && isTolerated;
  return isDegraded ? service.check(key).degraded(facts) : result;
}

/** Base of the Terminus indicators, one per plugin type. */
export abstract class PluginHealthIndicator {
  protected constructor(
    private readonly pluginType: string,
    private readonly service: HealthIndicatorService,
    private readonly registry: PluginRegistry,
  ) {}

  /**
   * For `HealthCheckService.check([() => indicator.isHealthy()])`. Never throws.
   * @param key key in the answer, default the plugin type
   */
  async isHealthy(key: string = this.pluginType, options?: HealthProbeOptions): Promise<HealthIndicatorResult> {
    const entry = this.registry.find(this.pluginType);
    if (entry === undefined) return this.service.check(key).up({ state: 'disabled' });
    return probePlugin(this.service, entry, key, options);
  }
}
