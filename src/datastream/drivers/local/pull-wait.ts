import { abortError } from '../../../core/deadline.js';
import type { StreamEngine } from './stream-engine.js';
import type { StoredQueue } from './stream-store.js';

/**
 * Waits until the queue may have a message, `deadline` (ms since 1970) has passed, or the store closes. Rejects with
 * `ABORTED` as soon as `signal` fires.
 */
export function untilReady(
  engine: StreamEngine,
  queue: StoredQueue,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => end(() => reject(abortError(signal)));
    const timer = setTimeout(() => end(resolve), Math.max(0, Math.min(deadline - Date.now(), 2 ** 31 - 1)));
    const unlisten = engine.listen(queue, () => end(resolve));
    signal?.addEventListener('abort', onAbort, { once: true });
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      unlisten();
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    if (signal?.aborted === true) onAbort();
  });
}
