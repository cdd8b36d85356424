import { setTimeout as setTimeoutPromise } from 'node:timers/promises';

import { HubError, type HubErrorOptions } from './errors.js';

/** The longest delay that a Node timer can hold (2^31 - 1 ms, about 24.8 days). */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Settles as `work` does, or rejects when `ms` have passed (`TIMEOUT`, or what `onTimeout` returns) or `signal` fires
 * (`ABORTED`). The work itself is not stopped: pass it a signal of its own where it can be.
 */
export async function withDeadline<T>(
  work: PromiseLike<T>,
  ms: number,
  onTimeout: () => Error = () => new HubError('TIMEOUT', `no answer within ${ms} ms.`),
  signal?: AbortSignal,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const interrupted = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(onTimeout()), Math.min(ms, MAX_TIMER_MS));
    if (signal === undefined) return;
    onAbort = () => reject(abortError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
  }
}

/** Waits `ms`, or rejects with `ABORTED` as soon as `signal` fires. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await setTimeoutPromise(Math.min(ms, MAX_TIMER_MS), undefined, signal === undefined ? {} : { signal });
  } catch {
    throw abortError(signal);
  }
}

/** The `ABORTED` error of a signal; a HubError given as the abort reason is passed on as it is. */
export function abortError(signal?: AbortSignal, source: HubErrorOptions = {}): HubError {
  const reason: unknown = signal?.reason;
  if (HubError.is(reason)) return reason;
  return new HubError('ABORTED', 'the AbortSignal of the caller fired.', { ...source, cause: reason });
}

/** Throws {@link abortError} when `signal` has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, source: HubErrorOptions = {}): void {
  if (signal?.aborted) throw abortError(signal, source);
}
