import { errorMessage, HubError, type HubErrorOptions } from './errors.js';

/** Longest wait of a policy, in ms: the largest time to live that AMQP brokers take (2^32 - 1, about 49 days). */
export const MAX_RETRY_DELAY_MS = 2 ** 32 - 1;

/** How often and how patiently something is tried again. Shared by streams, tasks and reconnection. */
export interface RetryPolicy {
  /** How often the work runs at most, the first time included. Default 1: no retry. */
  attempts?: number;
  /** Wait before the second attempt, in ms. Default 1000. */
  delay?: number;
  /** What the wait is multiplied by after each attempt. Default 2. */
  factor?: number;
  /** Longest wait, in ms. Default 60 000. */
  maxDelay?: number;
  /** Share of each wait (0 to 1) that is drawn at random, so that many retries do not come at once. Default 0. */
  jitter?: number;
}

/** A policy with every field set. */
export type ResolvedRetryPolicy = Required<RetryPolicy>;

/** `policy` with the defaults of {@link RetryPolicy} filled in. */
export function resolveRetry(policy: RetryPolicy = {}): ResolvedRetryPolicy {
  return {
    attempts: policy.attempts ?? 1,
    delay: policy.delay ?? 1_000,
    factor: policy.factor ?? 2,
    maxDelay: policy.maxDelay ?? 60_000,
    jitter: policy.jitter ?? 0,
  };
}

/**
 * The wait in ms after the `attempt`-th run has failed (1 = the first).
 * @param random a number in [0, 1), for jitter
 */
export function retryDelay(policy: RetryPolicy, attempt: number, random: () => number = Math.random): number {
  const { delay, factor, maxDelay, jitter } = resolveRetry(policy);
  const wait = Math.min(maxDelay, delay * factor ** Math.max(0, attempt - 1));
  return Math.round(wait * (1 - jitter * random()));
}

/** The longest that all waits of a policy may take together, in ms; the runs between them are not counted. */
export function retrySpan(policy: RetryPolicy): number {
  const { attempts } = resolveRetry(policy);
  let span = 0;
  for (let attempt = 1; attempt < attempts; attempt += 1) span += retryDelay(policy, attempt, () => 0);
  return span;
}

/**
 * `policy` with the defaults filled in, or `INVALID_ARGUMENT` naming the field that makes no sense.
 * @param source plugin, driver and operation for the error
 */
export function checkRetry(policy: RetryPolicy | undefined, source: HubErrorOptions): ResolvedRetryPolicy {
  const retry = resolveRetry(policy);
  const check = (key: keyof RetryPolicy, fits: (value: number) => boolean, expected: string): void => {
    const value: unknown = retry[key];
    if (typeof value === 'number' && fits(value)) return;
    throw new HubError('INVALID_ARGUMENT', `retry.${key} has to be ${expected}, not ${errorMessage(value)}.`, source);
  };
  check('attempts', (value) => Number.isInteger(value) && value >= 1, 'a whole number from 1');
  const wait = `a number of ms from 0 to ${MAX_RETRY_DELAY_MS}`;
  check('delay', (value) => value >= 0 && value <= MAX_RETRY_DELAY_MS, wait);
  check('factor', (value) => Number.isFinite(value) && value >= 1, 'a number from 1');
  check('maxDelay', (value) => value >= 0 && value <= MAX_RETRY_DELAY_MS, wait);
  check('jitter', (value) => value >= 0 && value <= 1, 'a number from 0 to 1');
  return retry;
}
