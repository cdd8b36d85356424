/**
 * For authors of DataStream drivers: the checks and defaults that the contract asks for, so that every driver words
 * and applies them alike. Applications do not need it.
 *
 * @packageDocumentation
 */
export * from './datastream.validation.js';
export type { DeliveryObserver } from './delivery-observer.js';
export * from './handler-outcome.js';
export * from './handler-runs.js';
export * from './message-fate.js';
export * from './payload-validation.js';
export * from './pulled-delivery.js';
export * from './subscribe.validation.js';
export { abortError, sleep, throwIfAborted, withDeadline } from '../core/deadline.js';
export { checkRetry, resolveRetry, retryDelay, type ResolvedRetryPolicy } from '../core/retry.js';
