import { HubError } from './errors.js';
import type { JsonObject } from './json.js';

/** Attributes of a span; what is `undefined` is left out. */
export type SpanAttributes = Record<string, string | number | boolean | undefined>;

/** The role of a span: https://opentelemetry.io/docs/specs/otel/trace/api/#spankind. */
export type SpanKind = 'internal' | 'client' | 'producer' | 'consumer';

/** What a span begins with. */
export interface SpanStart {
  /** Of low cardinality: `send orders`, no ids. */
  name: string;
  kind: SpanKind;
  attributes?: SpanAttributes;
  /**
   * Headers with the context of the parent; without one in them the span is the root of a new trace. Default: the context
   * that is active.
   */
  parent?: JsonObject;
  /** Headers with contexts that the span is linked to. */
  links?: readonly JsonObject[];
  /** No span where there would be no parent: what the hub does all day is no trace of its own. Default false. */
  childOnly?: boolean;
}

/** A span under way. */
export interface ActiveSpan {
  /** Adds attributes. */
  set(attributes: SpanAttributes): void;
  /** Marks it as failed, for work that tells so without throwing. `type` is of low cardinality, e.g. a code. */
  fail(type: string, message: string): void;
}

/** A metric that the hub reports; names follow https://prometheus.io/docs/practices/naming/, without their prefix. */
export interface MetricDefinition<Label extends string = string> {
  readonly name: string;
  /** `counter` and `upDown` are added to, a `histogram` observes, a `gauge` is set. */
  readonly type: 'counter' | 'upDown' | 'gauge' | 'histogram';
  readonly help: string;
  /** All of them have few values. */
  readonly labels: readonly Label[];
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

/** Where telemetry goes. `nestjs-experiment-hub/telemetry` brings one for OpenTelemetry and Prometheus. */
export interface TelemetrySink {
  /**
   * URL of a module that threads load, whose `within(headers, work)` calls `work` with the context that headers carry.
   * Default: threads know of no context.
   */
  readonly threadContext?: string | undefined;
  /** Calls `work` at once as a span, whose context is active in it, and passes its outcome on. */
  span<T>(start: SpanStart, work: (span: ActiveSpan) => Promise<T> | T): Promise<T>;
  /** The headers with the active context; the same object when there is none, or when they carry one already. */
  inject(headers: JsonObject | undefined): JsonObject | undefined;
  /** The headers without any context. */
  strip(headers: JsonObject): JsonObject;
  /** Calls `work` with no context active: what it begins goes on by itself. */
  apart<T>(work: () => T): T;
  /** Adds, sets or observes a value. */
  report<Label extends string>(
    metric: MetricDefinition<Label>,
    value: number,
    labels: Readonly<Record<Label, string>>,
  ): void;
}

/** Stands for a span where there is none. */
export const NO_SPAN: ActiveSpan = { set: () => undefined, fail: () => undefined };

/**
 * What the hub tells of its work. Until a sink is attached it calls the work and does nothing else. Each application has
 * one: `PluginRegistry.telemetry`.
 */
export class Telemetry {
  #sink: TelemetrySink | undefined;

  /** Whether anybody listens. */
  get active(): boolean {
    return this.#sink !== undefined;
  }

  /** Sends everything to `sink` from now on. A second one is `ALREADY_EXISTS`. */
  attach(sink: TelemetrySink): void {
    if (this.#sink !== undefined) {
      throw new HubError('ALREADY_EXISTS', 'this application has telemetry already: import its module once.');
    }
    this.#sink = sink;
  }

  /** See {@link TelemetrySink.threadContext}. */
  get threadContext(): string | undefined {
    return this.#sink?.threadContext;
  }

  /** See {@link TelemetrySink.span}. */
  async span<T>(start: SpanStart, work: (span: ActiveSpan) => Promise<T> | T): Promise<T> {
    return this.#sink === undefined ? work(NO_SPAN) : this.#sink.span(start, work);
  }

  /** See {@link TelemetrySink.inject}. */
  inject(headers?: JsonObject): JsonObject | undefined {
    return this.#sink === undefined ? headers : this.#sink.inject(headers);
  }

  /** See {@link TelemetrySink.strip}. */
  strip(headers: JsonObject): JsonObject {
    return this.#sink === undefined ? headers : this.#sink.strip(headers);
  }

  /** See {@link TelemetrySink.apart}. */
  apart<T>(work: () => T): T {
    return this.#sink === undefined ? work() : this.#sink.apart(work);
  }

  /** See {@link TelemetrySink.report}. */
  report<Label extends string>(
    metric: MetricDefinition<Label>,
    value: number,
    labels: Readonly<Record<Label, string>>,
  ): void {
    this.#sink?.report(metric, value, labels);
  }
}

/** Seconds since `began`, a value of `performance.now()`. */
export function secondsSince(began: number): number {
  return (performance.now() - began) / 1_000;
}

/** How something failed, as the value of a label: the code of a HubError, or `error`. */
export function failureLabel(error: unknown): string {
  return HubError.is(error) ? error.code : 'error';
}
