import { SpanKind, type Attributes } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

/** An SDK for tests: registers itself as that of the process, and keeps the spans that have ended. */
export class RecordedSpans {
  readonly #exporter = new InMemorySpanExporter();
  readonly #provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#exporter)] });

  constructor() {
    this.#provider.register();
  }

  get all(): ReadableSpan[] {
    return this.#exporter.getFinishedSpans();
  }

  /** The only span of the name. */
  one(name: string): ReadableSpan {
    const found = this.all.filter((span) => span.name === name);
    if (found.length === 1 && found[0] !== undefined) return found[0];
    throw new Error(`${found.length} spans are called "${name}" among ${this.names().join(', ') || 'none'}`);
  }

  names(): string[] {
    return this.all.map(({ name }) => name);
  }

  reset(): void {
    this.#exporter.reset();
  }

  async shutdown(): Promise<void> {
    await this.#provider.shutdown();
  }
}

/** What tests compare of a span. */
export function facts(span: ReadableSpan): { kind: string; attributes: Attributes; parent: string | undefined } {
  return { kind: SpanKind[span.kind], attributes: span.attributes, parent: span.parentSpanContext?.spanId };
}

/** Id of a span, as its children name it. */
export function idOf(span: ReadableSpan): string {
  return span.spanContext().spanId;
}

export function traceOf(span: ReadableSpan): string {
  return span.spanContext().traceId;
}
