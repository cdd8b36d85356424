import type { Counter, Gauge, Histogram, Metric, Registry } from 'prom-client';
import type { MetricDefinition, TelemetrySink } from '../core/telemetry.js';

/** The client, loaded when metrics are switched on. */
export type PrometheusClient = typeof import('prom-client');

/** Most values of one label of one metric; names beyond that are counted as `other`. */
export const MAX_LABEL_VALUES = 200;
/** What stands for the values beyond them. */
const OTHER = 'other';

type Kinds = { counter: Counter; upDown: Gauge; gauge: Gauge; histogram: Histogram };

/** Keeps the metrics of {@link MetricDefinition}s in a registry of prom-client. */
export class PrometheusMeter implements Pick<TelemetrySink, 'report'> {
  readonly #metrics = new Map<string, Metric>();
  readonly #values = new Map<string, Set<string>>();

  /** @param prefix of all names */
  constructor(
    private readonly client: PrometheusClient,
    private readonly registry: Registry,
    private readonly prefix: string,
  ) {}

  /**
   * Makes a metric, so that it is there before anything is reported. One of the name that is there already is used.
   * @param collect called at each scrape: the values of a gauge
   */
  define(metric: MetricDefinition, collect?: () => Iterable<{ labels: Record<string, string>; value: number }>): void {
    const name = this.prefix + metric.name;
    const known = this.registry.getSingleMetric(name);
    const options = {
      name,
      help: metric.help,
      labelNames: [...metric.labels],
      registers: [this.registry],
    };
    const { Counter, Gauge, Histogram } = this.client;
    const make = (): Metric => {
      if (metric.type === 'counter') return new Counter(options);
      if (metric.type === 'histogram') return new Histogram({ ...options, buckets: [...(metric.buckets ?? [])] });
      if (collect === undefined) return new Gauge(options);
      return new Gauge({
        ...options,
        collect() {
          this.reset();
          for (const { labels, value } of collect()) this.set(labels, value);
        },
      });
    };
    this.#metrics.set(metric.name, known ?? make());
  }

  report(metric: MetricDefinition, value: number, labels: Readonly<Record<string, string>>): void {
    const bounded = this.#bounded(metric, labels);
    switch (metric.type) {
      case 'counter':
        this.#get(metric, 'counter').inc(bounded, value);
        break;
      case 'upDown':
        this.#get(metric, 'upDown').inc(bounded, value);
        break;
      case 'gauge':
        this.#get(metric, 'gauge').set(bounded, value);
        break;
      case 'histogram':
        this.#get(metric, 'histogram').observe(bounded, value);
    }
  }

  #get<Kind extends keyof Kinds>(metric: MetricDefinition, _kind: Kind): Kinds[Kind] {
    if (!this.#metrics.has(metric.name)) this.define(metric);
    return this.#metrics.get(metric.name) as Kinds[Kind];
  }

  /** Labels with few values, whatever names somebody makes up. */
  #bounded(metric: MetricDefinition, labels: Readonly<Record<string, string>>): Record<string, string> {
    const bounded: Record<string, string> = {};
    for (const name of metric.labels) {
      const value = labels[name] ?? '';
      const key = `${metric.name} ${name}`;
      const seen = this.#values.get(key) ?? new Set();
      if (seen.size === 0) this.#values.set(key, seen);
      if (seen.size < MAX_LABEL_VALUES) seen.add(value);
      bounded[name] = seen.has(value) ? value : OTHER;
    }
    return bounded;
  }
}
