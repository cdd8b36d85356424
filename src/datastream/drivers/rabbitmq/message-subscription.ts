import type { DataHandler } from '../../datastream.types.js';
import type { ResolvedSubscribeOptions } from '../../subscribe.validation.js';
import type { ConsumerContext } from './consumer-context.js';
import { MAX_PREFETCH, RabbitSubscription } from './rabbit-subscription.js';

/** A consumer of single messages. */
export class MessageSubscription extends RabbitSubscription {
  constructor(
    context: ConsumerContext,
    queue: string,
    private readonly handler: DataHandler,
    private readonly options: ResolvedSubscribeOptions,
  ) {
    super(context, queue, { ...options, prefetch: Math.min(options.prefetch, MAX_PREFETCH) });
  }

  protected override pump(): void {
    while (this.state === 'running' && this.runs.size < this.options.concurrency) {
      const held = this.held.shift();
      if (held === undefined) return;
      this.run([held], async ([message], context) => {
        if (message !== undefined) await this.handler(message, context);
      });
    }
  }
}
