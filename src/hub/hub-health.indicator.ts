import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { probePlugin, type HealthProbeOptions } from '../core/plugin-health.js';
import type { PluginEntry } from '../core/plugin-entry.js';
import { PluginRegistry } from '../core/plugin-registry.js';

/** Options of the hub's health answers. */
export interface HubHealthOptions extends HealthProbeOptions {
  /** Path of the built-in controller. Default `health`. */
  path?: string;
  /**
   * Whether answers hold the plugins' facts and error messages, or their statuses alone. Default false: the endpoint is
   * often open to anybody. Secrets are removed in either case.
   */
  details?: boolean;
}

/** @internal */
export const HUB_HEALTH_OPTIONS = Symbol.for('nestjs-experiment-hub.HUB_HEALTH_OPTIONS');

/** Aggregates the health of every registered plugin; there is no list to edit. Never throws. */
@Injectable()
export class HubHealthIndicator {
  constructor(
    @Inject(HealthIndicatorService) private readonly service: HealthIndicatorService,
    private readonly registry: PluginRegistry,
    @Inject(HUB_HEALTH_OPTIONS) private readonly options: HubHealthOptions,
  ) {}

  /**
   * For `HealthCheckService.check([() => hub.isHealthy()])`: one key per plugin type (further plugins of a type as
   * `type:name`) and the key `hub`, which is down while the application drains.
   */
  isHealthy(): Promise<HealthIndicatorResult> {
    return this.probe(this.registry.entries);
  }

  /** Like {@link isHealthy}, of the required plugins only: whether the application can serve. */
  isReady(): Promise<HealthIndicatorResult> {
    return this.probe(this.registry.entries.filter(({ policy }) => policy.required));
  }

  private async probe(entries: readonly PluginEntry[]): Promise<HealthIndicatorResult> {
    const results = await Promise.all(
      entries.map((entry) => probePlugin(this.service, entry, this.keyOf(entry), this.options)),
    );
    const hub = this.service.check('hub');
    const own = this.registry.draining ? hub.down('shutting down') : hub.up();
    return Object.fromEntries(
      [own, ...results].flatMap((result) => Object.entries(result).map((row) => this.row(row))),
    );
  }

  private keyOf(entry: PluginEntry): string {
    const type = entry.plugin.pluginType;
    return this.registry.find(type) === entry ? type : `${type}:${entry.policy.name}`;
  }

  private row([key, result]: [string, HealthIndicatorResult[string]]): [string, HealthIndicatorResult[string]] {
    return this.options.details === true ? [key, result] : [key, { status: result.status }];
  }
}
