import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import { HubError } from '../core/errors.js';

/** What is used of a `Registry` of prom-client, which this package does not name in its types. */
export interface MetricsRegistry {
  /** Media type of {@link metrics}. */
  readonly contentType: string;
  /** All metrics in the text format of Prometheus, or the one that the registry is set to. */
  metrics(): Promise<string>;
  getSingleMetric(name: string): unknown;
  clear(): void;
}

/** Options of metrics. */
export interface HubMetricsOptions {
  /**
   * Path of an endpoint with all metrics, below the application's global prefix. It needs `guards`, or `auth: 'none'`.
   * Default: no endpoint; inject `HubTelemetry` and serve its `metrics()` yourself.
   */
  path?: string;
  /** Guards of the endpoint, classes or instances; classes are resolved with `imports` of the module. */
  guards?: (Type<CanActivate> | CanActivate)[];
  /** `none`: the endpoint has no guard of its own. Guards of the application hold in either case. */
  auth?: 'none';
  /** In front of all names. Default `experiment_hub_`. */
  prefix?: string;
  /** Where the metrics are kept: a `Registry` of prom-client, for one application. Default: one of its own. */
  registry?: MetricsRegistry;
  /** Whether to add prom-client's metrics of the process and of Node, under their own names. Default false. */
  defaultMetrics?: boolean;
}

/** Options of `HubTelemetryModule.forRoot`. */
export interface HubTelemetryOptions {
  /**
   * Spans by `@opentelemetry/api`, to the SDK that the application has registered; without one nothing changes.
   * Default false.
   */
  tracing?: boolean;
  /** Metrics by `prom-client`. Default false. */
  metrics?: HubMetricsOptions | boolean;
  /** Modules that export what guards of the endpoint inject. */
  imports?: NonNullable<ModuleMetadata['imports']>;
}

/** Name of a metric, of which a prefix is the beginning: https://prometheus.io/docs/concepts/data_model/. */
const PREFIX = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** The options of metrics, or `undefined` when there are to be none. Throws `CONFIG_INVALID`. */
export function metricsOptions({ metrics = false }: HubTelemetryOptions): HubMetricsOptions | undefined {
  if (metrics === false) return undefined;
  const options = metrics === true ? {} : metrics;
  const { path, guards = [], auth, prefix } = options;
  if (path !== undefined && auth !== 'none' && guards.length === 0) {
    throw invalid(
      `metrics.path "${path}" would be open to anybody: give metrics.guards, or say metrics.auth: 'none' when the network ` +
        "or the application's own guards protect it.",
    );
  }
  if (path === undefined && (auth !== undefined || guards.length > 0)) {
    throw invalid('metrics.guards and metrics.auth are of the endpoint: give metrics.path as well.');
  }
  if (auth === 'none' && guards.length > 0)
    throw invalid("metrics.guards and metrics.auth: 'none' exclude each other.");
  if (prefix !== undefined && prefix !== '' && !PREFIX.test(prefix)) {
    throw invalid(`metrics.prefix has to be letters, digits, "_" and ":", not ${JSON.stringify(prefix)}.`);
  }
  return options;
}

function invalid(message: string): HubError {
  return new HubError('CONFIG_INVALID', `HubTelemetryModule: ${message}`);
}
