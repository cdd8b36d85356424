import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { HubError } from '../core/errors.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { Run } from '../mlops/mlops.types.js';
import { ALIVE_PREFIX, CLAIM_PREFIX } from './experiment.tags.js';

/** How long a holder that gives no sign of life keeps a claim, in ms. */
export const CLAIM_LEASE = 60_000;
/** How often a holder gives a sign of life, in ms: it may miss two before its lease is over. */
const BEAT_MS = CLAIM_LEASE / 4;

interface Holder {
  hub: string;
  host: string;
  pid: number;
  /** ms since 1970. */
  at: number;
}

/** The last sign of life of a holder; `at` 0 when it has given the claim back. */
type Beat = Pick<Holder, 'hub' | 'at'>;

/** A claim that is kept alive until it is released. */
export interface Hold {
  /** Aborted when another hub has taken the claim over, say because this one was frozen for longer than the lease. */
  readonly lost: AbortSignal;
  /** Gives the claim back, so that another hub need not wait for the lease. */
  release(): Promise<void>;
  /** Gives no further signs of life; for work that is done for good. */
  end(): void;
}

/**
 * Claims pieces of work on a run, so that of several hubs one does them. A param is write-once on every MLOps backend,
 * which makes it a compare-and-swap: whoever's value is stored holds the claim. A claim whose holder is dead or silent
 * for longer than its lease is taken over by writing the next numbered param (`…`, `….2`, `….3`); signs of life are tags.
 */
export class Claims {
  /** Identity of this hub: new in each process. */
  readonly hub = randomUUID();

  /** @param now the wall clock, ms since 1970; leases are measured by it */
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly now: () => number = Date.now,
  ) {}

  /** The param that makes this hub the first holder of `work` on a run that it is about to create. */
  first(work: string): Record<string, string> {
    return { [`${CLAIM_PREFIX}${work}`]: this.#me() };
  }

  /**
   * Tries to claim `work`. Holding it already counts as success.
   * @param lease how long a silent holder keeps the claim, in ms
   */
  async claim(runId: string, work: string, lease = CLAIM_LEASE): Promise<boolean> {
    const run = await this.mlops.getRun(runId);
    const { next, holder } = latestHolder(run, work);
    if (holder?.hub === this.hub) {
      if (lastBeat(run, work)?.at === 0) await this.#beat(runId, work, this.now());
      return true;
    }
    if (holder !== undefined && !this.#isOver(holder, lastBeat(run, work), lease)) return false;
    try {
      await this.mlops.logParam(runId, next, this.#me());
      return true;
    } catch (error) {
      if (HubError.is(error, 'CONFLICT')) return false;
      throw error;
    }
  }

  /** Tries to claim `work` on every one of the runs, in the order of their ids, so that two hubs never block each other. */
  async claimAll(runIds: readonly string[], work: string): Promise<boolean> {
    for (const runId of runIds.toSorted()) if (!(await this.claim(runId, work))) return false;
    return true;
  }

  /** Whether this hub is still the holder; a hub that was frozen may have lost its claim without having noticed. */
  async isMine(runId: string, work: string): Promise<boolean> {
    return latestHolder(await this.mlops.getRun(runId), work).holder?.hub === this.hub;
  }

  /**
   * Keeps a claim of this hub alive.
   * @param onBeat sees the run at each sign of life, every 15 s
   */
  hold(runId: string, work: string, onBeat: (run: Run) => void): Hold {
    const lost = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const beat = async (): Promise<void> => {
      const run = await this.mlops.getRun(runId);
      if (latestHolder(run, work).holder?.hub !== this.hub) return lost.abort();
      onBeat(run);
      await this.#beat(runId, work, this.now());
    };
    const plan = (): void => {
      timer = setTimeout(() => {
        // A backend that is away gives the claim to nobody else either.
        void beat()
          .catch(() => undefined)
          .then(() => (timer === undefined || lost.signal.aborted ? undefined : plan()));
      }, BEAT_MS).unref();
    };
    const end = (): void => {
      clearTimeout(timer);
      timer = undefined;
    };
    plan();
    const release = async (): Promise<void> => {
      end();
      if (!lost.signal.aborted) await this.#beat(runId, work, 0).catch(() => undefined);
    };
    return { lost: lost.signal, release, end };
  }

  #me(): string {
    const mine: Holder = { hub: this.hub, host: hostname(), pid: process.pid, at: this.now() };
    return JSON.stringify(mine);
  }

  async #beat(runId: string, work: string, at: number): Promise<void> {
    const beat: Beat = { hub: this.hub, at };
    await this.mlops.setTag(runId, `${ALIVE_PREFIX}${work}`, JSON.stringify(beat));
  }

  #isOver(holder: Holder, beat: Beat | undefined, lease: number): boolean {
    const seen = beat?.hub === holder.hub ? beat.at : holder.at;
    if (this.now() - seen >= lease) return true;
    // A crashed hub restarts on the same machine within seconds: no need to wait for a lease that nobody can use.
    return holder.host === hostname() && holder.pid !== process.pid && !isAlive(holder.pid);
  }
}

function latestHolder({ params }: Run, work: string): { holder: Holder | undefined; next: string } {
  const base = `${CLAIM_PREFIX}${work}`;
  let latest: string | undefined;
  let next = base;
  for (let attempt = 2; params[next] !== undefined; attempt++) {
    latest = params[next];
    next = `${base}.${attempt}`;
  }
  return { holder: latest === undefined ? undefined : (JSON.parse(latest) as Holder), next };
}

function lastBeat({ tags }: Run, work: string): Beat | undefined {
  const beat = tags[`${ALIVE_PREFIX}${work}`];
  return beat === undefined ? undefined : (JSON.parse(beat) as Beat);
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
