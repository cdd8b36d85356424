/**
 * For authors of TaskQueue drivers: the checks and defaults that the contract asks for, so that every driver words and
 * applies them alike, and what a driver that runs tasks in this process needs to word their failures. Applications do
 * not need it.
 *
 * @packageDocumentation
 */
export * from './taskqueue.validation.js';
export { taskErrorOf } from './task-error.js';
export * from './task-outcome.js';
export { abortError, sleep, throwIfAborted, withDeadline } from '../core/deadline.js';
export { checkRetry, resolveRetry, retryDelay, type ResolvedRetryPolicy } from '../core/retry.js';
