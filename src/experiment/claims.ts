import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { HubError } from '../core/errors.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import { CLAIM_PREFIX } from './experiment.tags.js';

/** How long the start of a training may take before another hub takes it for dead, in ms. */
export const START_LEASE = 60_000;

interface Holder {
  hub: string;
  host: string;
  pid: number;
  /** ms since 1970. */
  at: number;
}

/**
 * Claims pieces of work on a run, so that of several hubs one does them. A param is write-once on every MLOps backend,
 * which makes it a compare-and-swap: whoever's value is stored holds the claim. A claim whose holder is dead or silent
 * for longer than its lease is taken over by writing the next numbered param (`…`, `….2`, `….3`).
 */
export class Claims {
  readonly #hub = randomUUID();

  /** @param now the wall clock, ms since 1970; leases are measured by it */
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Tries to claim `work`. Holding it already counts as success.
   * @param lease how long a silent holder keeps the claim, in ms
   */
  async claim(runId: string, work: string, lease: number): Promise<boolean> {
    const base = `${CLAIM_PREFIX}${work}`;
    const { params } = await this.mlops.getRun(runId);
    let next = 1;
    let latest: string | undefined;
    for (; params[numbered(base, next)] !== undefined; next++) latest = params[numbered(base, next)];
    if (latest !== undefined) {
      const holder = JSON.parse(latest) as Holder;
      if (holder.hub === this.#hub) return true;
      if (!this.#isOver(holder, lease)) return false;
    }
    try {
      await this.mlops.logParam(runId, numbered(base, next), this.holder());
      return true;
    } catch (error) {
      if (HubError.is(error, 'CONFLICT')) return false;
      throw error;
    }
  }

  /** This hub as the holder of something from now on, for {@link isGone}. */
  holder(): string {
    const mine: Holder = { hub: this.#hub, host: hostname(), pid: process.pid, at: this.now() };
    return JSON.stringify(mine);
  }

  /** Whether another hub's {@link holder} is dead, or silent for longer than its lease in ms. */
  isGone(holder: string, lease: number): boolean {
    return this.#isOver(JSON.parse(holder) as Holder, lease);
  }

  #isOver(holder: Holder, lease: number): boolean {
    if (this.now() - holder.at >= lease) return true;
    // A crashed hub restarts on the same machine within seconds: no need to wait for a lease that nobody can use.
    return holder.host === hostname() && holder.pid !== process.pid && !isAlive(holder.pid);
  }
}

function numbered(base: string, attempt: number): string {
  return attempt === 1 ? base : `${base}.${attempt}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM means that it lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
