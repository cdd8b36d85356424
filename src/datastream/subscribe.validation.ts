import { HubError, type HubErrorOptions } from '../core/errors.js';
import { checkRetry, type ResolvedRetryPolicy } from '../core/retry.js';
import type { StandardSchemaV1 } from '../core/standard-schema.js';
import type { SubscribeBatchOptions, SubscribeOptions } from './datastream.types.js';
import { checkDuration, checkInteger } from './datastream.validation.js';
import { DELIVERY_OBSERVER, type DeliveryObserver } from './delivery-observer.js';
import { checkSchema } from './payload-validation.js';

/** {@link SubscribeOptions} with every field set; `schema` and `observer` may be `undefined`. */
export interface ResolvedSubscribeOptions {
  prefetch: number;
  concurrency: number;
  retry: ResolvedRetryPolicy;
  schema: StandardSchemaV1 | undefined;
  name: string;
  observer: DeliveryObserver | undefined;
}

/** {@link SubscribeBatchOptions} with every field set; `schema` and `observer` may be `undefined`. */
export interface ResolvedSubscribeBatchOptions {
  size: number;
  /** In ms. */
  maxWait: number;
  retry: ResolvedRetryPolicy;
  schema: StandardSchemaV1 | undefined;
  name: string;
  observer: DeliveryObserver | undefined;
}

/** Checks the arguments of `subscribe` and fills in the defaults. Throws `INVALID_ARGUMENT`. */
export function resolveSubscribe(
  queue: string,
  handler: unknown,
  options: SubscribeOptions,
  source: HubErrorOptions,
): ResolvedSubscribeOptions {
  checkHandler(handler, source);
  const concurrency = checkInteger(options.concurrency ?? 1, 'concurrency', 1, source);
  return {
    concurrency,
    prefetch: checkInteger(options.prefetch ?? 2 * concurrency, 'prefetch', 1, source),
    retry: checkRetry(options.retry, source),
    schema: checkSchema(options.schema, source),
    name: options.name ?? queue,
    observer: options[DELIVERY_OBSERVER],
  };
}

/** Checks the arguments of `subscribeBatch` and fills in the defaults. Throws `INVALID_ARGUMENT`. */
export function resolveSubscribeBatch(
  queue: string,
  handler: unknown,
  options: SubscribeBatchOptions,
  source: HubErrorOptions,
): ResolvedSubscribeBatchOptions {
  checkHandler(handler, source);
  return {
    size: checkInteger(options.size, 'size', 1, source),
    maxWait: checkDuration(options.maxWait ?? 1_000, 'maxWait', 0, source),
    retry: checkRetry(options.retry, source),
    schema: checkSchema(options.schema, source),
    name: options.name ?? queue,
    observer: options[DELIVERY_OBSERVER],
  };
}

function checkHandler(handler: unknown, source: HubErrorOptions): void {
  if (typeof handler !== 'function')
    throw new HubError('INVALID_ARGUMENT', 'the handler has to be a function.', source);
}
