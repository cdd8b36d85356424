import { sleep } from '../../../../core/deadline.js';
import { HubError } from '../../../../core/errors.js';
import { retryDelay, type RetryPolicy } from '../../../../core/retry.js';
import { isMaybeDone } from '../mlflow.errors.js';
import type { Call } from './mlflow.call.js';

/** Longest wait that a server can ask for, in ms. */
export const MAX_RETRY_AFTER = 60_000;

/** When a request is sent again. */
export interface RetryPlan {
  policy: RetryPolicy;
  /** Most attempts, the first one included. */
  attempts: number;
  /** Whether the server's Retry-After makes a wait longer. */
  respectRetryAfter: boolean;
  /** Whether a request may be sent again when it may have taken effect. */
  repeatable: boolean;
  /** Whether bytes are asked for: a server's `INTERNAL_ERROR` is then more often a missing file than a passing fault. */
  isDownload?: boolean;
}

/** Most attempts of a download that meets nothing but internal errors. */
const DOWNLOAD_ATTEMPTS = 2;

/**
 * Runs `attempt` until it succeeds, fails for good, or attempts or time are used up; then rejects with the last error.
 * Its `details.attempts` says how many there were, `details.maybeDone` holds for all of them together.
 */
export async function withRetries<T>(call: Call, plan: RetryPlan, attempt: () => Promise<T>): Promise<T> {
  let maybeDone = false;
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!HubError.is(error)) throw error;
      maybeDone ||= isMaybeDone(error);
      const wait = waitAfter(error, plan, count);
      if (call.signal.aborted || wait === undefined || wait >= call.remaining) {
        if (maybeDone) error.details['maybeDone'] = true;
        if (count > 1) error.details['attempts'] = count;
        throw error;
      }
      await sleep(wait, call.signal).catch((reason: unknown) => {
        if (HubError.is(reason) && maybeDone) reason.details['maybeDone'] = true;
        throw reason;
      });
    }
  }
}

/** The header Retry-After (seconds, or a date) in ms from `now`, at most {@link MAX_RETRY_AFTER}. */
export function retryAfterMs(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, Math.round(ms)), MAX_RETRY_AFTER);
}

/** The wait in ms before another attempt, or `undefined` when there is to be none. */
function waitAfter(error: HubError, plan: RetryPlan, count: number): number | undefined {
  const { transient, retryAfter, errorCode } = error.details;
  if (transient !== true || count >= plan.attempts) return undefined;
  if (plan.isDownload === true && errorCode === 'INTERNAL_ERROR' && count >= DOWNLOAD_ATTEMPTS) return undefined;
  if (isMaybeDone(error) && !plan.repeatable) return undefined;
  const wait = retryDelay(plan.policy, count);
  return plan.respectRetryAfter && typeof retryAfter === 'number' ? Math.max(wait, retryAfter) : wait;
}
