/**
 * For authors of MLOps drivers: the checks and limits that the contract asks for, so that every driver words and applies
 * them alike. Applications do not need it.
 *
 * The checks throw `INVALID_ARGUMENT` without a source. A driver names itself in them where it enters its work, once for
 * all methods: it catches a `HubError` that has no `operation` and throws
 * `this.error(error.code, operation, error.message, { cause: error.cause, details: error.details })`.
 *
 * @packageDocumentation
 */
export * from './mlops.validation.js';
export { abortError, sleep, throwIfAborted, withDeadline } from '../core/deadline.js';
export { checkRetry, resolveRetry, retryDelay, type ResolvedRetryPolicy } from '../core/retry.js';
