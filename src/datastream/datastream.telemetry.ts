import type { JsonObject } from '../core/json.js';
import { putAround, type ObservedCalls } from '../core/observed-calls.js';
import type { PluginLabels } from '../core/plugin.metrics.js';
import { failureLabel, secondsSince, type SpanAttributes, type SpanStart, type Telemetry } from '../core/telemetry.js';
import { MESSAGE_METRICS } from './datastream.metrics.js';
import type { DataStreamPlugin } from './datastream.plugin.js';
import type { Message, OutgoingMessage, SubscribeBatchOptions, SubscribeOptions } from './datastream.types.js';
import { DELIVERY_OBSERVER, type DeliveryObserver } from './delivery-observer.js';
import type { MessageFate } from './message-fate.js';

const PLAIN = [
  'createQueue',
  'deleteQueue',
  'queueInfo',
  'flushQueue',
  'peekDeadLetters',
  'redriveDeadLetters',
  'purgeDeadLetters',
] as const satisfies readonly (keyof DataStreamPlugin)[];

/** Value of the label `outcome` of handled messages. */
const OUTCOMES: Readonly<Record<MessageFate['kind'], string>> = {
  ack: 'acked',
  release: 'released',
  retry: 'retried',
  bury: 'dead_lettered',
};

/**
 * Tells of the calls of a DataStream plugin and of the handlers that it calls. Spans are those of OpenTelemetry's
 * conventions for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/): a message carries
 * the context of its `send` span, or the one that its sender gave it; its handler runs within a `process` span below that
 * one, and a batch is linked to the contexts of its messages.
 */
export function observeStream(stream: DataStreamPlugin, calls: ObservedCalls): void {
  const told = new MessageTelemetry(calls.telemetry, calls.labels);
  calls.putAround(stream, PLAIN);
  putAround<DataStreamPlugin>(stream, {
    sendData: async (next, queue, payload, options) => {
      const start = told.span('send', queue, {
        'messaging.message.id': options?.messageId,
        'messaging.message.conversation_id': options?.correlationId,
      });
      const messageId = await calls.call('sendData', () => next(queue, payload, told.carrying(options ?? {})), start);
      told.sent(queue, 1);
      return messageId;
    },
    sendBatch: async (next, queue, messages, options) => {
      const count = Array.isArray(messages) ? messages.length : 0;
      const start = told.span('send', queue, { 'messaging.batch.message_count': count });
      const ids = await calls.call('sendBatch', () => next(queue, told.carryingAll(messages), options), start);
      told.sent(queue, ids.length);
      return ids;
    },
    pullData: (next, queue, options) =>
      calls.call(
        'pullData',
        async (span) => {
          const delivery = await next(queue, options);
          if (delivery !== null) told.pulled(queue, 1);
          span.set({ 'messaging.message.id': delivery?.messageId });
          return delivery;
        },
        told.span('receive', queue),
      ),
    pullBatch: (next, queue, options) =>
      calls.call(
        'pullBatch',
        async (span) => {
          const deliveries = await next(queue, options);
          if (deliveries.length > 0) told.pulled(queue, deliveries.length);
          span.set({ 'messaging.batch.message_count': deliveries.length });
          return deliveries;
        },
        told.span('receive', queue),
      ),
    subscribe: (next, queue, handler, options) => {
      const observed: typeof handler = (message, context) =>
        told.handling(queue, [message], () => handler(message, context));
      const work = (): ReturnType<typeof next> =>
        next(queue, typeof handler === 'function' ? observed : handler, told.watched(queue, options));
      return calls.call('subscribe', work);
    },
    subscribeBatch: (next, queue, handler, options) => {
      const observed: typeof handler = (messages, context) =>
        told.handling(queue, messages, () => handler(messages, context), true);
      const work = (): ReturnType<typeof next> =>
        next(queue, typeof handler === 'function' ? observed : handler, told.watched(queue, options));
      return calls.call('subscribeBatch', work);
    },
  });
}

/** Kinds of spans by operation, of the same conventions. */
const KINDS = { send: 'producer', receive: 'client', process: 'consumer' } as const;

/** What is told of the messages of one plugin. */
class MessageTelemetry {
  readonly #name: string;
  readonly #driver: string;

  constructor(
    private readonly telemetry: Telemetry,
    { name, driver }: PluginLabels,
  ) {
    this.#name = name;
    this.#driver = driver;
  }

  span(operation: keyof typeof KINDS, queue: string, attributes: SpanAttributes = {}): SpanStart {
    return {
      name: `${operation} ${queue}`,
      kind: KINDS[operation],
      attributes: {
        'messaging.system': this.#driver,
        'messaging.operation.name': operation,
        'messaging.operation.type': operation,
        'messaging.destination.name': queue,
        ...attributes,
      },
      // Somebody who looks into a queue again and again does nothing that is worth a trace.
      childOnly: operation === 'receive',
    };
  }

  sent(queue: string, count: number): void {
    this.telemetry.report(MESSAGE_METRICS.sent, count, this.#labels(queue));
  }

  pulled(queue: string, count: number): void {
    this.telemetry.report(MESSAGE_METRICS.pulled, count, this.#labels(queue));
  }

  /** The message with the active context among its headers. */
  carrying<T extends { headers?: JsonObject }>(message: T): T {
    const headers = this.telemetry.inject(message.headers);
    return headers === undefined || headers === message.headers ? message : { ...message, headers };
  }

  carryingAll(messages: readonly OutgoingMessage[]): readonly OutgoingMessage[] {
    const hasContext = this.telemetry.inject() !== undefined;
    return hasContext && Array.isArray(messages) ? messages.map((message) => this.carrying(message)) : messages;
  }

  /** The options of a subscription, with somebody who is told what becomes of its messages. */
  watched<Options extends SubscribeOptions | SubscribeBatchOptions>(queue: string, options?: Options): Options {
    const observer: DeliveryObserver = {
      settled: (fate) => {
        const labels = this.#labels(queue);
        this.telemetry.report(MESSAGE_METRICS.handled, 1, { ...labels, outcome: OUTCOMES[fate.kind] });
        if (fate.kind === 'bury') {
          this.telemetry.report(MESSAGE_METRICS.deadLettered, 1, { ...labels, reason: fate.reason });
        }
      },
    };
    return { ...(options as Options), [DELIVERY_OBSERVER]: observer };
  }

  /** One call of a handler. */
  async handling(
    queue: string,
    messages: readonly Message[],
    handle: () => Promise<void> | void,
    batch = false,
  ): Promise<void> {
    const labels = this.#labels(queue);
    const [first] = messages;
    const own: Partial<SpanStart> =
      batch || first === undefined
        ? { links: messages.map(({ headers }) => headers), parent: {} }
        : { links: [first.headers], parent: first.headers };
    const attributes: SpanAttributes = batch
      ? { 'messaging.batch.message_count': messages.length }
      : {
          'messaging.message.id': first?.messageId,
          'messaging.message.conversation_id': first?.correlationId ?? undefined,
          'experiment_hub.message.attempt': first?.attempt,
        };
    const began = performance.now();
    let outcome = 'ok';
    this.telemetry.report(MESSAGE_METRICS.inFlight, messages.length, labels);
    try {
      await this.telemetry.span({ ...this.span('process', queue, attributes), ...own }, handle);
    } catch (error) {
      outcome = failureLabel(error);
      throw error;
    } finally {
      this.telemetry.report(MESSAGE_METRICS.inFlight, -messages.length, labels);
      this.telemetry.report(MESSAGE_METRICS.handling, secondsSince(began), { ...labels, outcome });
    }
  }

  #labels(queue: string): Record<'name' | 'driver' | 'queue', string> {
    return { name: this.#name, driver: this.#driver, queue };
  }
}
