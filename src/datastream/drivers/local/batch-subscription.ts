import { MAX_TIMER_MS } from '../../../core/deadline.js';
import type { DataBatchHandler, DataContext, Message } from '../../datastream.types.js';
import type { ResolvedSubscribeBatchOptions } from '../../subscribe.validation.js';
import { LocalSubscription } from './local-subscription.js';
import type { StoredMessage } from './stored-message.js';
import type { StreamEngine } from './stream-engine.js';
import type { StoredQueue } from './stream-store.js';

/**
 * A consumer of batches, one at a time. Messages gather in the queue, not here: they are taken when the batch is full or
 * its first message has waited long enough, so that gathering costs no attempt and survives a crash as it is.
 */
export class BatchSubscription extends LocalSubscription {
  /** When the first message of the next batch was seen, ms since 1970. */
  #since: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    engine: StreamEngine,
    queue: StoredQueue,
    private readonly handler: DataBatchHandler,
    private readonly options: ResolvedSubscribeBatchOptions,
  ) {
    super(engine, queue, options);
  }

  protected override next(): StoredMessage[][] {
    clearTimeout(this.#timer);
    const { size, maxWait } = this.options;
    this.engine.sweep();
    const { ready } = this.engine.store.counts(this.stored);
    if (ready === 0) {
      this.#since = undefined;
      return [];
    }
    const now = Date.now();
    this.#since ??= now;
    // A message that comes while the handler works begins its wait then.
    if (this.running > 0) return [];
    const left = this.#since + maxWait - now;
    if (ready < size && left > 0) {
      this.#timer = setTimeout(() => this.schedule(), Math.min(left, MAX_TIMER_MS));
      return [];
    }
    this.#since = ready > size ? now : undefined;
    const messages = this.engine.take(this.stored, size);
    // What is counted as ready may have expired since.
    return messages.length === 0 ? [] : [messages];
  }

  protected override handle(messages: Message[], context: DataContext): Promise<void> | void {
    return this.handler(messages, context);
  }

  protected override onStop(): void {
    clearTimeout(this.#timer);
  }
}
