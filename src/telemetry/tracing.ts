import type { Attributes, Context, Link, Span, TextMapGetter } from '@opentelemetry/api';
import { errorMessage } from '../core/errors.js';
import type { JsonObject } from '../core/json.js';
import { failureLabel, NO_SPAN, type ActiveSpan, type SpanAttributes, type SpanStart } from '../core/telemetry.js';
import type { TracingPart } from './hub-telemetry.js';

/** The API, loaded when tracing is switched on. */
export type OpenTelemetryApi = typeof import('@opentelemetry/api');

/** Name of the instrumentation scope. */
const SCOPE = 'nestjs-experiment-hub';

/** Reads headers as they came: only text can hold a context. */
const HEADERS: TextMapGetter<JsonObject> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, key) => {
    const value = headers[key];
    return typeof value === 'string' ? value : undefined;
  },
};

/** Spans and contexts by the OpenTelemetry API, with whatever SDK and propagators the application has registered. */
export class Tracing implements TracingPart {
  // A sibling of this file with the same extension: `.ts` among the sources, `.js` in what is built.
  readonly threadContext = new URL(
    `./thread-context${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`,
    import.meta.url,
  ).href;

  /** @param redact removes secrets from what spans say of errors */
  constructor(
    private readonly api: OpenTelemetryApi,
    private readonly redact: (text: string) => string,
  ) {}

  async span<T>(start: SpanStart, work: (span: ActiveSpan) => Promise<T> | T): Promise<T> {
    const { context, trace, SpanKind } = this.api;
    const parent = start.parent === undefined ? context.active() : this.extract(start.parent);
    if (start.childOnly === true && trace.getSpanContext(parent) === undefined) return work(NO_SPAN);
    // Looked up each time: an SDK may be registered, or replaced, later than the hub starts.
    const span = trace.getTracer(SCOPE).startSpan(
      start.name,
      {
        kind: SpanKind[start.kind.toUpperCase() as Uppercase<SpanStart['kind']>],
        attributes: attributes(start.attributes),
        links: this.#links(start.links ?? []),
      },
      parent,
    );
    const active = this.#active(span);
    try {
      return await context.with(trace.setSpan(parent, span), () => work(active));
    } catch (error) {
      active.fail(failureLabel(error), errorMessage(error));
      throw error;
    } finally {
      span.end();
    }
  }

  /** The context that headers carry, below none. */
  extract(headers: JsonObject): Context {
    const { propagation, ROOT_CONTEXT } = this.api;
    return propagation.extract(ROOT_CONTEXT, headers, HEADERS);
  }

  /** Calls `work` with the context that headers carry. */
  within<T>(headers: JsonObject, work: () => T): T {
    return this.api.context.with(this.extract(headers), work);
  }

  apart<T>(work: () => T): T {
    return this.api.context.with(this.api.ROOT_CONTEXT, work);
  }

  inject(headers: JsonObject | undefined): JsonObject | undefined {
    const { context, propagation, trace } = this.api;
    // What is no object is the driver's to refuse.
    if (headers !== undefined && (typeof headers !== 'object' || headers === null || Array.isArray(headers))) {
      return headers;
    }
    // A context that the sender gave is the one that counts.
    if (headers !== undefined && trace.getSpanContext(this.extract(headers)) !== undefined) return headers;
    const carrier: Record<string, string> = {};
    propagation.inject(context.active(), carrier);
    return Object.keys(carrier).length === 0 ? headers : { ...headers, ...carrier };
  }

  strip(headers: JsonObject): JsonObject {
    const fields = this.api.propagation.fields();
    if (!fields.some((field) => Object.hasOwn(headers, field))) return headers;
    return Object.fromEntries(Object.entries(headers).filter(([name]) => !fields.includes(name)));
  }

  #links(headers: readonly JsonObject[]): Link[] {
    return headers.flatMap((one) => {
      const context = this.api.trace.getSpanContext(this.extract(one));
      return context === undefined ? [] : [{ context }];
    });
  }

  #active(span: Span): ActiveSpan {
    return {
      set: (more) => void span.setAttributes(attributes(more)),
      fail: (type, message) => {
        // https://opentelemetry.io/docs/specs/semconv/general/recording-errors/
        span.setAttribute('error.type', type);
        span.setStatus({ code: this.api.SpanStatusCode.ERROR, message: this.redact(message) });
      },
    };
  }
}

function attributes(given: SpanAttributes = {}): Attributes {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
