import { SetMetadata } from '@nestjs/common';
import type { AppValue } from '../core/app-value.js';
import type { QueueOptions, SubscribeBatchOptions, SubscribeOptions } from './datastream.types.js';

/** @internal Metadata key of {@link OnData}. */
export const ON_DATA = 'nestjs-experiment-hub:on-data';

/** What {@link OnData} takes beside the options of the subscription. */
export interface OnDataQueueOptions {
  /**
   * Creates the queue with these options (`true`: the defaults) before consumption starts. Default: it has to exist,
   * otherwise the application does not boot (`NOT_FOUND`).
   */
  createQueue?: QueueOptions | true;
}

/**
 * Options of {@link OnData}: those of `subscribe`, or with `batch` those of `subscribeBatch`. The name defaults to
 * `Class.method`.
 */
export type OnDataOptions = OnDataQueueOptions &
  ((SubscribeOptions & { batch?: false }) | (SubscribeBatchOptions & { batch: true }));

/** @internal What the decorator notes on a method. */
export interface OnDataMetadata {
  queue: AppValue<string>;
  options: AppValue<OnDataOptions>;
}

/**
 * Makes a method of any provider or controller the handler of a queue: `(message, context)` or, with `batch: true`,
 * `(messages, context)`. Consumption starts when the application has been initialized.
 *
 * Guards, interceptors, exception filters and decorators of parameters work as on controllers, global ones included, with
 * `'datastream'` as the type of the context. A guard that says no is a failure of the handler; an error that a filter has
 * handled is none. Enhancers that cannot work there fail the boot with `INVALID_ARGUMENT`.
 *
 * @param queue its name, or where it comes from: `(get) => get(ConfigService).getOrThrow('ORDERS_QUEUE')`
 * @param options the same way, for a concurrency from the configuration, say
 */
export function OnData(queue: AppValue<string>, options: AppValue<OnDataOptions> = {}): MethodDecorator {
  return SetMetadata(ON_DATA, { queue, options } satisfies OnDataMetadata);
}
