import { abortError } from 'nestjs-experiment-hub/datastream/driver-kit';
import type { MemoryQueue } from './memory-queue.js';

/** Waits until the queue may have a message, or `deadline` (ms since 1970) has passed. `ABORTED` when `signal` fires. */
export function untilReady(queue: MemoryQueue, deadline: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => end(() => reject(abortError(signal)));
    const timer = setTimeout(() => end(resolve), Math.min(Math.max(0, deadline - Date.now()), 2 ** 31 - 1));
    const unlisten = queue.listen(() => end(resolve));
    signal?.addEventListener('abort', onAbort, { once: true });
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      unlisten();
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
  });
}
