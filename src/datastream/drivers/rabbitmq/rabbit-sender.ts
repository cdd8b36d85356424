import type { AmqpPublisher } from '../../../amqp/amqp.publisher.js';
import type { AmqpRpc } from '../../../amqp/amqp.rpc.js';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { SealedMessage } from '../../datastream.validation.js';
import { BoundedSends } from './bounded-sends.js';
import { encodeMessage } from './message-encoder.js';
import type { RabbitQueues } from './rabbit-queues.js';
import { queueFull, queueMissing } from './rabbitmq.errors.js';

/** How a message is sent. */
export interface SendCall {
  signal: AbortSignal | undefined;
  source: HubErrorOptions;
}

/** Sends messages and waits until the broker has them. */
export class RabbitSender {
  readonly #bounded = new Map<string, BoundedSends>();
  /** Exchanges that were seen: publishing to a missing one closes the channel of everybody else's messages. */
  readonly #exchanges = new Map<string, Promise<unknown>>();

  constructor(
    private readonly publisher: AmqpPublisher,
    private readonly rpc: AmqpRpc,
    private readonly queues: RabbitQueues,
  ) {}

  /** Sends to a queue: `NOT_FOUND` when there is none, `CONFLICT` when it is full; see the port for the others. */
  send(queue: string, sealed: SealedMessage, call: SendCall): Promise<void> {
    const bounded = this.#boundedSends(queue);
    if (bounded === undefined) return this.#toQueue(queue, sealed, call);
    return bounded.run(1, call.source, () => this.#toQueue(queue, sealed, call));
  }

  /** Sends several in order; when it rejects, `details.sent` says how many the broker has. */
  async sendAll(queue: string, sealed: readonly SealedMessage[], call: SendCall): Promise<void> {
    if (sealed.length === 0) return;
    const send = (): Promise<void> => this.#allToQueue(queue, sealed, call);
    const bounded = this.#boundedSends(queue);
    await (bounded === undefined ? send() : bounded.run(sealed.length, call.source, send));
  }

  /** Sends to an exchange. `NOT_FOUND` when there is none, or when no queue is bound for the routing key. */
  async publish(exchange: string, routingKey: string, sealed: SealedMessage, call: SendCall): Promise<void> {
    if (exchange !== '') await this.#seen(exchange);
    const { content, properties } = encodeMessage(sealed, Date.now(), call.source);
    await this.publisher.publish({ exchange, routingKey, content, properties }, signalOf(call));
  }

  /** Forgets what was known of a queue that is being deleted. */
  forget(queue: string): void {
    this.#bounded.delete(queue);
  }

  /** Forgets the exchanges that were seen: the broker may come back without them. */
  forgetExchanges(): void {
    this.#exchanges.clear();
  }

  async #toQueue(queue: string, sealed: SealedMessage, call: SendCall): Promise<void> {
    const { content, properties } = encodeMessage(sealed, Date.now(), call.source);
    try {
      await this.publisher.publish({ exchange: '', routingKey: queue, content, properties }, signalOf(call));
    } catch (error) {
      throw sendError(error, queue, call.source);
    }
  }

  async #allToQueue(queue: string, sealed: readonly SealedMessage[], call: SendCall): Promise<void> {
    const now = Date.now();
    const messages = sealed.map((one) => {
      const { content, properties } = encodeMessage(one, now, call.source);
      return { exchange: '', routingKey: queue, content, properties };
    });
    const { sent, error } = await this.publisher.publishAll(messages, signalOf(call));
    if (error === undefined) return;
    const failure = sendError(error, queue, call.source);
    if (!HubError.is(failure)) throw failure;
    const details = { ...failure.details, sent };
    throw new HubError(failure.code, failure.message, { ...call.source, cause: failure.cause, details });
  }

  /** Keeps sends below the `maxLength` of a queue; `undefined` for one that has none, or that others have created. */
  #boundedSends(queue: string): BoundedSends | undefined {
    const maxLength = this.queues.known(queue)?.maxLength ?? null;
    if (maxLength === null) return undefined;
    const known = this.#bounded.get(queue);
    if (known !== undefined) return known;
    const bounded = new BoundedSends(queue, maxLength, () => this.queues.ready(queue));
    this.#bounded.set(queue, bounded);
    return bounded;
  }

  async #seen(exchange: string): Promise<void> {
    let seen = this.#exchanges.get(exchange);
    if (seen === undefined) {
      seen = this.rpc.run('publish', (channel) => channel.checkExchange(exchange));
      this.#exchanges.set(exchange, seen);
    }
    try {
      await seen;
    } catch (error) {
      this.#exchanges.delete(exchange);
      throw error;
    }
  }
}

function signalOf({ signal }: SendCall): { signal?: AbortSignal } | undefined {
  return signal === undefined ? undefined : { signal };
}

/** What a refused publication means for the sender. */
function sendError(error: unknown, queue: string, source: HubErrorOptions): unknown {
  if (HubError.is(error, 'NOT_FOUND')) return queueMissing(queue, source, error);
  if (HubError.is(error, 'CONFLICT')) return queueFull(queue, source, error);
  return error;
}
