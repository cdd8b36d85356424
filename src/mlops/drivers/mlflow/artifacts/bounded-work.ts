/** Starts a piece of work as soon as fewer than the limit are under way. Rejects when an earlier piece failed. */
export type AddWork = (work: (signal: AbortSignal) => Promise<void>) => Promise<void>;

/**
 * Runs what `feed` adds, at most `limit` pieces at the same time, and resolves when all are done. After the first failure
 * the signal of the others fires, nothing more is started, and the failure is passed on once all have ended.
 */
export async function boundedWork(
  limit: number,
  signal: AbortSignal | undefined,
  feed: (add: AddWork) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const stopped = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
  const running = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    stop.abort();
  };
  const failIfFailed = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  try {
    await feed(async (work) => {
      while (running.size >= limit) await Promise.race(running);
      failIfFailed();
      const piece: Promise<void> = work(stopped)
        .catch(fail)
        .finally(() => running.delete(piece));
      running.add(piece);
    });
  } catch (error) {
    fail(error);
  }
  await Promise.all(running);
  failIfFailed();
}
