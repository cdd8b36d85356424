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
  /**
   * How long a SIGTERM keeps HTTP open at least, in ms, with readiness at 503: the time that a load balancer takes to
   * see it. Work in flight ends meanwhile, and it counts towards `global.shutdownTimeout`: keep it shorter. Default 0:
   * HTTP closes as soon as the work in flight has ended. Not for `app.close()` without a signal.
   */
  drainDelay?: number;
}

/** @internal */
export const HUB_HEALTH_OPTIONS = Symbol.for('nestjs-experiment-hub.HUB_HEALTH_OPTIONS');

/** How long requests share one answer, in ms. */
const SHARED_FOR = 100;

/** Aggregates the health of every registered plugin; there is no list to edit. Never throws. */
@Injectable()
export class HubHealthIndicator {
  private readonly answers = new Map<string, { rows: Promise<HealthIndicatorResult>; until: number }>();

  constructor(
    @Inject(HealthIndicatorService) private readonly service: HealthIndicatorService,
    private readonly registry: PluginRegistry,
    @Inject(HUB_HEALTH_OPTIONS) private readonly options: HubHealthOptions,
  ) {}

  /**
   * For `HealthCheckService.check([() => hub.isHealthy()])`: one key per plugin type (further plugins of a type as
   * `type:name`) and the key `hub`, which is down while the application drains. A type that is switched off is up with
   * `state: 'disabled'`.
   */
  async isHealthy(): Promise<HealthIndicatorResult> {
    return { ...(await this.probe(this.registry.entries)), ...this.disabled() };
  }

  /** Like {@link isHealthy}, of the required plugins only: whether the application can serve. One that is not healthy and takes
   * calls all the same is `degraded`. */
  isReady(): Promise<HealthIndicatorResult> {
    return this.probe(
      this.registry.entries.filter(({ policy }) => policy.required),
      true,
    );
  }

  /** The rows of `entries`. Requests that come close together share one answer, whose probes are cached in any case. */
  private async probe(entries: readonly PluginEntry[], readiness = false): Promise<HealthIndicatorResult> {
    const key = `${this.registry.draining} ${readiness} ${entries.map((entry) => this.keyOf(entry)).join(' ')}`;
    const known = this.answers.get(key);
    if (known !== undefined && known.until > performance.now()) return known.rows;
    const rows = this.ask(entries, readiness);
    this.answers.set(key, {
      rows,
      until: performance.now() + Math.min(SHARED_FOR, this.options.cacheFor ?? SHARED_FOR),
    });
    return rows;
  }

  private async ask(entries: readonly PluginEntry[], readiness: boolean): Promise<HealthIndicatorResult> {
    const options = { ...this.options, readiness };
    const results = await Promise.all(
      entries.map((entry) => probePlugin(this.service, entry, this.keyOf(entry), options)),
    );
    const hub = this.service.check('hub');
    const own = this.registry.draining ? hub.down('shutting down') : hub.up();
    return Object.fromEntries(
      [own, ...results].flatMap((result) => Object.entries(result).map((row) => this.row(row))),
    );
  }

  private disabled(): HealthIndicatorResult {
    const types = this.registry.list().flatMap(({ type, state }) => (state === 'disabled' ? [type] : []));
    const results = types
      // A named plugin of the type has its key, when there is one.
      .filter((type) => this.registry.find(type) === undefined)
      .map((type) => this.service.check(type).up({ state: 'disabled' }));
    return Object.assign({}, ...results) as HealthIndicatorResult;
  }

  private keyOf(entry: PluginEntry): string {
    const type = entry.plugin.pluginType;
    return this.registry.find(type) === entry ? type : `${type}:${entry.policy.name}`;
  }

  private row([key, result]: [string, HealthIndicatorResult[string]]): [string, HealthIndicatorResult[string]] {
    return this.options.details === true ? [key, result] : [key, { status: result.status }];
  }
}
