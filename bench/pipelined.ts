/**
 * Calls `send` `count` times, with at most `window` calls that have not ended, and resolves when all have. `send` calls
 * `done` later, once, with an error when it failed.
 */
export function pipelined(
  count: number,
  window: number,
  send: (done: (error?: unknown) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let [started, ended] = [0, 0];
    const next = (): void => {
      started += 1;
      send(done);
    };
    const done = (error?: unknown): void => {
      if (error instanceof Error) return reject(error);
      ended += 1;
      if (ended === count) resolve();
      else if (started < count) next();
    };
    while (started < Math.min(count, window)) next();
  });
}
