import { SetMetadata } from '@nestjs/common';
import type { SubscribeBatchOptions, SubscribeOptions } from './datastream.types.js';

/** @internal Metadata key of {@link OnData}. */
export const ON_DATA = 'nestjs-experiment-hub:on-data';

/** Options of {@link OnData}: those of `subscribe`, or with `batch` those of `subscribeBatch`. */
export type OnDataOptions = SubscribeOptions | (SubscribeBatchOptions & { batch: true });

/** @internal What the decorator notes on a method. */
export interface OnDataMetadata {
  queue: string;
  options: OnDataOptions;
}

/**
 * Makes a method of any provider the handler of a queue: `(message, context)` or, with `batch: true`,
 * `(messages, context)`. Consumption starts when the application has been initialized.
 */
export function OnData(queue: string, options: OnDataOptions = {}): MethodDecorator {
  return SetMetadata(ON_DATA, { queue, options } satisfies OnDataMetadata);
}
