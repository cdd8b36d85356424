import { setMaxListeners } from 'node:events';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { DeadLetterReader } from './dead-letter-reader.js';
import type { RawMessage } from './message-decoder.js';
import { queueFull, queueMissing } from './rabbitmq.errors.js';

/** Sends the dead letters of one reader back to their queue: each is acked when its copy is confirmed. */
export class Redrive {
  readonly #flight = new Set<Promise<void>>();
  readonly #abandon = new AbortController();
  #redriven = 0;
  #failure: { error: unknown } | undefined;

  /** @param window most messages whose copies are not confirmed */
  constructor(
    private readonly reader: DeadLetterReader,
    private readonly send: (raw: RawMessage, signal: AbortSignal) => Promise<void>,
    private readonly window: number,
    private readonly origin: { queue: string; source: HubErrorOptions },
  ) {
    // Each message under way listens.
    setMaxListeners(0, this.#abandon.signal);
  }

  /**
   * Sends the oldest `max` back (of those whose ids are `wanted`), in order, and resolves to their number. After a failure
   * it sends no more, and rejects when it knows of each that was under way; `details.redriven` is their number.
   */
  async run(max: number, wanted: ReadonlySet<string> | undefined): Promise<number> {
    try {
      await this.#sendAll(max, wanted);
    } catch (error) {
      // Nothing can be acked any more, so that what has not left yet would only be doubled.
      this.#failure ??= { error };
      this.#abandon.abort();
    }
    await Promise.all(this.#flight);
    if (this.#failure !== undefined) throw this.#explained(this.#failure.error);
    return this.#redriven;
  }

  async #sendAll(max: number, wanted: ReadonlySet<string> | undefined): Promise<void> {
    const { reader, window } = this;
    const { readyAtStart } = reader;
    const most = Math.min(max, readyAtStart);
    if (wanted === undefined && window > 1 && most > 0) await reader.prefetch(Math.min(2 * window, most));
    // What dies while it runs is left for the next call, so that it ends.
    for (let seen = 0, chosen = 0; seen < readyAtStart && chosen < max && this.#failure === undefined; seen += 1) {
      const raw = await reader.next();
      if (raw === undefined) return;
      if (wanted !== undefined && !wanted.has(String(raw.properties.messageId))) continue;
      chosen += 1;
      const sent = this.#sendBack(raw).finally(() => this.#flight.delete(sent));
      this.#flight.add(sent);
      if (this.#flight.size >= window) await Promise.race(this.#flight);
    }
  }

  async #sendBack(raw: RawMessage): Promise<void> {
    try {
      await this.send(raw, this.#abandon.signal);
      this.#redriven += 1;
      this.reader.ack(raw);
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  #explained(error: unknown): unknown {
    const { queue, source } = this.origin;
    const details = { redriven: this.#redriven };
    if (HubError.is(error, 'CONFLICT')) return queueFull(queue, { ...source, details }, error);
    if (HubError.is(error, 'NOT_FOUND')) return queueMissing(queue, { ...source, details }, error);
    if (!HubError.is(error)) return error;
    return new HubError(error.code, error.message, { cause: error.cause, details: { ...error.details, ...details } });
  }
}
