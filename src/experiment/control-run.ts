import { sleep } from '../core/deadline.js';
import { HubError } from '../core/errors.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import { CLAIM_LEASE, type Claims } from './claims.js';
import { KIND, TAG } from './experiment.tags.js';

/** How often a hub looks whether the one that chooses the control run has done so, in ms. */
const LOOK_MS = 200;
/** How long it does: a chooser that died is replaced within its lease. In ms. */
const PATIENCE_MS = 2 * CLAIM_LEASE;

const FILTER = `tags.${TAG.kind} LIKE '${KIND.control}%'`;

/**
 * Finds the control run of an experiment, or makes it: MLflow has no run with a given id, so that two hubs that begin
 * at the same moment would make one each.
 *
 * Every hub that finds none makes a candidate, lists all, and claims the choice on each of them. Of two hubs the one that
 * lists later has the candidate of the other one in its list, so the two lists always share a run, and one hub wins.
 */
export class ControlRun {
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly claims: Claims,
  ) {}

  /** Its id. `UNAVAILABLE` when no hub has made the choice within two minutes. */
  async find(experimentId: string): Promise<string> {
    const { control, candidates } = await this.#list(experimentId);
    if (control === undefined) return this.#make(experimentId);
    await this.#discard(candidates);
    return control;
  }

  async #make(experimentId: string): Promise<string> {
    const tags = { [TAG.kind]: KIND.controlCandidate };
    await this.mlops.startRun(experimentId, { runName: 'hub-control', tags });
    const until = performance.now() + PATIENCE_MS;
    while (performance.now() < until) {
      // One look for both kinds: a candidate that is chosen between two looks would be missed by both.
      const { control, candidates } = await this.#list(experimentId);
      const chosen = control ?? (await this.#choose(candidates));
      if (chosen !== undefined) {
        await this.#discard(candidates.filter((runId) => runId !== chosen));
        return chosen;
      }
      await sleep(LOOK_MS);
    }
    throw new HubError('UNAVAILABLE', `no hub has chosen the control run of experiment ${experimentId}; try again.`);
  }

  /** Makes the first of the candidates the control run; `undefined` when another hub chooses. */
  async #choose(candidates: readonly string[]): Promise<string | undefined> {
    const [first] = candidates;
    try {
      if (first === undefined || !(await this.claims.claimAll(candidates, 'control'))) return undefined;
    } catch (error) {
      // The hub that has chosen deletes the others, perhaps while they are being claimed: the next look tells.
      if (HubError.is(error, 'NOT_FOUND', 'CONFLICT', 'INVALID_ARGUMENT')) return undefined;
      throw error;
    }
    await this.mlops.setTag(first, TAG.kind, KIND.control);
    return first;
  }

  /** Nobody needs the others once one is chosen; their hubs may be dead. */
  async #discard(candidates: readonly string[]): Promise<void> {
    for (const runId of candidates) await this.mlops.deleteRun(runId).catch(() => undefined);
  }

  async #list(experimentId: string): Promise<{ control: string | undefined; candidates: string[] }> {
    const controls: string[] = [];
    const candidates: string[] = [];
    for await (const { runId, tags } of this.mlops.searchRuns({ experimentIds: [experimentId], filter: FILTER })) {
      (tags[TAG.kind] === KIND.control ? controls : candidates).push(runId);
    }
    return { control: controls.toSorted()[0], candidates: candidates.toSorted() };
  }
}
