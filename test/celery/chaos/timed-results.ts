import { HubError } from '../../../src/core/errors.js';
import type { TaskQueuePlugin } from '../../../src/taskqueue/index.js';
import { LATE_MS } from './chaos-size.js';

/** What a call of `getResult` came to: what it resolved to, or the code of what it rejected with. */
export interface TimedResult {
  readonly code?: string;
  readonly value?: unknown;
  /** What it was rejected with, for messages. */
  readonly message?: string;
}

/** Calls `getResult` and proves that each call ends within its timeout. */
export class TimedResults {
  /** Calls that were made. */
  calls = 0;
  /** Calls that did not end within their timeout and {@link LATE_MS}. */
  hung = 0;
  /** Longest time in ms that a call took beyond its timeout. */
  latest = 0;

  constructor(private readonly plugin: Pick<TaskQueuePlugin, 'getResult'>) {}

  /** Calls it; resolves with the code `HUNG` when it does not end in time. */
  async get(taskId: string, timeout: number): Promise<TimedResult> {
    const began = performance.now();
    this.calls += 1;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<TimedResult>((resolve) => {
      timer = setTimeout(() => resolve({ code: 'HUNG' }), timeout + LATE_MS);
    });
    const call = this.plugin.getResult(taskId, { timeout }).then(
      (value: unknown): TimedResult => ({ value }),
      (error: unknown): TimedResult => ({
        code: HubError.is(error) ? error.code : String(error),
        message: String(error),
      }),
    );
    const outcome = await Promise.race([call, late]);
    clearTimeout(timer);
    if (outcome.code === 'HUNG') this.hung += 1;
    this.latest = Math.max(this.latest, performance.now() - began - timeout);
    return outcome;
  }
}
