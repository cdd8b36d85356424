import type { AmqpLink } from '../../../amqp/amqp.link.js';
import type { AmqpPublisher } from '../../../amqp/amqp.publisher.js';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { DeadLetter } from '../../datastream.types.js';
import { decodeDeadLetter, redriveOf } from './dead-letter-codec.js';
import { DeadLetterReader } from './dead-letter-reader.js';
import type { RawMessage } from './message-decoder.js';
import type { RabbitQueues } from './rabbit-queues.js';
import { queueMissing } from './rabbitmq.errors.js';
import { Redrive } from './redrive.js';

/** Most dead letters that are on their way back at the same time. */
const WINDOW = 100;

/** Which dead letters are sent back: the oldest `max`, or the oldest `max` of those with the ids. */
export interface RedriveRequest {
  max: number;
  messageIds?: readonly string[];
}

/** Reads dead letters and sends them back. One call at a time per queue in this process. */
export class RabbitDeadLetters {
  readonly #turns = new Map<string, Promise<unknown>>();

  /**
   * @param link the consuming connection: each call has a channel of its own on it
   * @param timeout most time of each answer of the broker in ms, else `UNAVAILABLE`
   */
  constructor(
    private readonly link: AmqpLink,
    private readonly publisher: AmqpPublisher,
    private readonly queues: RabbitQueues,
    private readonly source: HubErrorOptions,
    private readonly timeout = 10_000,
  ) {}

  /** The oldest `max` dead letters, which stay where they are. Those that another process holds are not among them. */
  peek(queue: string, max: number): Promise<DeadLetter[]> {
    return this.#read('peekDeadLetters', queue, async (reader) => {
      const deliveryLimit = this.queues.known(queue)?.deliveryLimit;
      const letters: DeadLetter[] = [];
      while (letters.length < max) {
        const raw = await reader.next();
        if (raw === undefined) break;
        letters.push(decodeDeadLetter(raw, { queue, deliveryLimit }, Date.now()));
      }
      return letters;
    });
  }

  /**
   * Sends dead letters back to their queue and resolves to their number. Each one is acked when the broker has confirmed
   * its copy: when the connection is lost between the two it is in both places, but in one always. Rejects with `CONFLICT`
   * when the queue is full; the rest stays. `details.redriven` of any error says how many went.
   *
   * Of what it passes over when looking for ids it keeps a few bytes each; the broker holds those as unacked meanwhile.
   */
  redrive(queue: string, { max, messageIds }: RedriveRequest): Promise<number> {
    const wanted = messageIds === undefined ? undefined : new Set(messageIds);
    if (wanted?.size === 0) return this.#exists(queue);
    // The limit of a quorum queue is soft: what comes at the same time gets past it.
    const bounded = typeof this.queues.known(queue)?.maxLength === 'number';
    return this.#read('redriveDeadLetters', queue, (reader, source) => {
      const send = (raw: RawMessage, signal: AbortSignal): Promise<void> => {
        const { content, properties } = redriveOf(raw, queue, Date.now(), source);
        return this.publisher.publish({ exchange: '', routingKey: queue, content, properties }, { signal });
      };
      return new Redrive(reader, send, bounded ? 1 : WINDOW, { queue, source }).run(max, wanted);
    });
  }

  /** Removes all dead letters that nobody has in hand; resolves to their number. */
  purge(queue: string): Promise<number> {
    return this.#inTurn(queue, () => this.queues.purgeDeadLetters(queue));
  }

  async #exists(queue: string): Promise<number> {
    await this.queues.ready(queue);
    return 0;
  }

  #read<T>(
    operation: string,
    queue: string,
    work: (reader: DeadLetterReader, source: HubErrorOptions) => Promise<T>,
  ): Promise<T> {
    const source = { ...this.source, operation };
    return this.#inTurn(queue, async () => {
      try {
        const reader = await DeadLetterReader.open(this.link, queue, this.timeout, source);
        try {
          return await work(reader, source);
        } finally {
          await reader.close();
        }
      } catch (error) {
        // The broker's own, not one that says it already.
        const unexplained = HubError.is(error, 'NOT_FOUND') && error.details['queue'] === undefined;
        throw unexplained ? queueMissing(queue, source, error) : error;
      }
    });
  }

  /** Two at a time would each see only what the other has not in hand. */
  async #inTurn<T>(queue: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(queue);
    const turn = (before ?? Promise.resolve()).then(work, work);
    this.#turns.set(queue, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(queue) === turn) this.#turns.delete(queue);
    }
  }
}
