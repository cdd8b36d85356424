import type { DataContext, DataHandler, Message } from '../../datastream.types.js';
import type { ResolvedSubscribeOptions } from '../../subscribe.validation.js';
import { LocalSubscription } from './local-subscription.js';
import type { StoredMessage } from './stored-message.js';
import type { StreamEngine } from './stream-engine.js';
import type { StoredQueue } from './stream-store.js';

/** A consumer of single messages. */
export class MessageSubscription extends LocalSubscription {
  readonly #most: number;

  constructor(
    engine: StreamEngine,
    queue: StoredQueue,
    private readonly handler: DataHandler,
    options: ResolvedSubscribeOptions,
  ) {
    super(engine, queue, options);
    // Nothing is fetched ahead, so what is held is what is worked on.
    this.#most = Math.min(options.concurrency, options.prefetch);
  }

  protected override next(): StoredMessage[][] {
    const free = this.#most - this.running;
    return free <= 0 ? [] : this.engine.take(this.stored, free).map((message) => [message]);
  }

  protected override handle([message]: Message[], context: DataContext): Promise<void> | void {
    return message === undefined ? undefined : this.handler(message, context);
  }
}
