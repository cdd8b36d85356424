import { HubError } from '../core/errors.js';
import type { JsonObject } from '../core/json.js';
import {
  NO_SPAN,
  type ActiveSpan,
  type MetricDefinition,
  type SpanStart,
  type TelemetrySink,
} from '../core/telemetry.js';
import type { MetricsRegistry } from './telemetry.options.js';

/** What traces. @internal */
export interface TracingPart extends Omit<TelemetrySink, 'report'> {
  readonly threadContext: string;
  within<T>(headers: JsonObject, work: () => T): T;
}

/** What telemetry is made of, in words of this package: its types are to name no optional one. @internal */
export interface TelemetryParts {
  tracing: TracingPart | undefined;
  meter: Pick<TelemetrySink, 'report'> | undefined;
  registry: MetricsRegistry | undefined;
}

/** The telemetry of an application: its metrics, and the trace contexts of messages and tasks. */
export class HubTelemetry implements TelemetrySink {
  readonly #tracing: TelemetryParts['tracing'];
  readonly #meter: TelemetryParts['meter'];
  readonly #registry: MetricsRegistry | undefined;

  /** @internal */
  constructor({ tracing, meter, registry }: TelemetryParts) {
    this.#tracing = tracing;
    this.#meter = meter;
    this.#registry = registry;
  }

  /** The `Registry` of prom-client that holds the metrics; for metrics of your own, too. `UNSUPPORTED` without metrics. */
  get registry(): MetricsRegistry {
    if (this.#registry !== undefined) return this.#registry;
    throw new HubError(
      'UNSUPPORTED',
      'there are no metrics: switch them on with metrics of HubTelemetryModule.forRoot.',
    );
  }

  /** All metrics as text, for an endpoint of your own; its media type is `registry.contentType`. */
  async metrics(): Promise<string> {
    return this.registry.metrics();
  }

  /**
   * Calls `work` with the trace context that the headers of a message or task carry, so that its spans are part of that
   * trace: for pulled messages. Without tracing it just calls it.
   */
  within<T>(headers: JsonObject, work: () => T): T {
    return this.#tracing === undefined ? work() : this.#tracing.within(headers, work);
  }

  /** @internal */
  get threadContext(): string | undefined {
    return this.#tracing?.threadContext;
  }

  /** @internal */
  async span<T>(start: SpanStart, work: (span: ActiveSpan) => Promise<T> | T): Promise<T> {
    return this.#tracing === undefined ? work(NO_SPAN) : this.#tracing.span(start, work);
  }

  /** `headers` with the active trace context (`traceparent` and so on); `undefined` stays so when there is none. */
  inject(headers?: JsonObject): JsonObject | undefined {
    return this.#tracing === undefined ? headers : this.#tracing.inject(headers);
  }

  /** @internal */
  strip(headers: JsonObject): JsonObject {
    return this.#tracing === undefined ? headers : this.#tracing.strip(headers);
  }

  /** @internal */
  apart<T>(work: () => T): T {
    return this.#tracing === undefined ? work() : this.#tracing.apart(work);
  }

  /** @internal */
  report<Label extends string>(
    metric: MetricDefinition<Label>,
    value: number,
    labels: Readonly<Record<Label, string>>,
  ): void {
    this.#meter?.report(metric, value, labels);
  }
}
