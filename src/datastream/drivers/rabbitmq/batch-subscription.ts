import { MAX_TIMER_MS } from '../../../core/deadline.js';
import type { DataBatchHandler } from '../../datastream.types.js';
import type { ResolvedSubscribeBatchOptions } from '../../subscribe.validation.js';
import type { ConsumerContext } from './consumer-context.js';
import { MAX_PREFETCH, RabbitSubscription } from './rabbit-subscription.js';

/**
 * A consumer of batches, one at a time. Messages gather here, unsettled, until there are enough of them or the first has
 * waited long enough.
 */
export class BatchSubscription extends RabbitSubscription {
  /** When the first message of the next batch came, ms since 1970. */
  #since: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #size: number;

  constructor(
    context: ConsumerContext,
    queue: string,
    private readonly handler: DataBatchHandler,
    private readonly options: ResolvedSubscribeBatchOptions,
  ) {
    const size = Math.min(options.size, MAX_PREFETCH);
    super(context, queue, { ...options, prefetch: size });
    this.#size = size;
  }

  protected override pump(): void {
    clearTimeout(this.#timer);
    if (this.held.length === 0) {
      this.#since = undefined;
      return;
    }
    // A message that comes while the handler works begins its wait then.
    this.#since ??= Date.now();
    if (this.state !== 'running' || this.runs.size > 0) return;
    const left = this.#since + this.options.maxWait - Date.now();
    if (this.held.length < this.#size && left > 0) {
      this.#timer = setTimeout(() => this.pump(), Math.min(left, MAX_TIMER_MS));
      return;
    }
    const batch = this.held.splice(0, this.#size);
    this.#since = this.held.length > 0 ? Date.now() : undefined;
    this.run(batch, (messages, context) => this.handler(messages, context));
  }

  protected override onStop(): void {
    clearTimeout(this.#timer);
  }
}
