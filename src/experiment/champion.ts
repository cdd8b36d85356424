import { HubError } from '../core/errors.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { ModelVersion, ScalarMap } from '../mlops/mlops.types.js';
import type { PromotionDecision, ResolvedExperiment, TrainingTrigger } from './experiment.types.js';
import { CHAMPION, TAG } from './experiment.tags.js';
import type { ExperimentTelemetry } from './experiment.telemetry.js';

/** How long a looked-up champion is used without asking again, in ms. Moves made by this hub are seen at once. */
const FRESH_MS = 1_000;

/** The registered versions of an experiment's model, and the alias that says which of them predicts. */
export class Champion {
  readonly #seen = new Map<string, { version: ModelVersion; at: number }>();

  /** @param now the wall clock, ms since 1970 */
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly telemetry: ExperimentTelemetry,
    private readonly now: () => number = Date.now,
  ) {}

  /** The champion, or `null` when there is none. At most a second old when another hub moved the alias. */
  async find({ model }: ResolvedExperiment): Promise<ModelVersion | null> {
    const seen = this.#seen.get(model);
    if (seen !== undefined && this.now() - seen.at < FRESH_MS && this.now() >= seen.at) return seen.version;
    const version = await this.mlops.getModelVersionByAlias(model, CHAMPION).catch((error: unknown) => {
      // A model that was never registered has no champion; that is no fault.
      if (HubError.is(error, 'NOT_FOUND')) return null;
      throw error;
    });
    if (version === null) this.#seen.delete(model);
    else this.#seen.set(model, { version, at: this.now() });
    return version;
  }

  /** {@link find}, asked for now. */
  async findNow(experiment: ResolvedExperiment): Promise<ModelVersion | null> {
    this.#seen.delete(experiment.model);
    return this.find(experiment);
  }

  /** The champion, or `CONFLICT` saying that a model has to be trained first. */
  async require(experiment: ResolvedExperiment): Promise<ModelVersion> {
    const version = await this.find(experiment);
    if (version !== null) return version;
    throw new HubError(
      'CONFLICT',
      `experiment ${JSON.stringify(experiment.name)} has no champion yet: train it first (or promote a version).`,
    );
  }

  /** The version that a run made, registered when it is not yet. Calling it again gives the same one. */
  async register({ model, name }: ResolvedExperiment, runId: string, source: string): Promise<ModelVersion> {
    await this.mlops.createRegisteredModel(model, { tags: { 'hub.experiment': name } }).catch((error: unknown) => {
      if (!HubError.is(error, 'ALREADY_EXISTS')) throw error;
    });
    const known = await this.#versionsOf(model, runId);
    if (known[0] !== undefined) return known[0];
    const made = await this.mlops.createModelVersion(model, { source, runId });
    // Another hub may have been taken for dead and register as well: both keep the first one.
    const [first = made] = await this.#versionsOf(model, runId);
    if (first.version !== made.version) await this.mlops.deleteModelVersion(model, made.version);
    return first;
  }

  /** The versions that a run made, the lowest first. */
  async #versionsOf(model: string, runId: string): Promise<ModelVersion[]> {
    const versions: ModelVersion[] = [];
    const filter = `name = '${model}' and run_id = '${runId}'`;
    for await (const version of this.mlops.searchModelVersions({ filter })) versions.push(version);
    return versions.sort((a, b) => Number(a.version) - Number(b.version));
  }

  /** A version by number. `NOT_FOUND`. */
  version({ model }: ResolvedExperiment, version: string): Promise<ModelVersion> {
    return this.mlops.getModelVersion(model, version);
  }

  /** Writes a decision to its version, and moves the alias when it is a promotion. Repeating it changes nothing more. */
  async apply(
    experiment: ResolvedExperiment,
    version: ModelVersion,
    decision: PromotionDecision,
    by: { trigger?: TrainingTrigger; previous: string | null },
  ): Promise<void> {
    const tags: ScalarMap = {
      [TAG.decision]: decision.promoted ? 'promoted' : 'refused',
      [TAG.decisionReason]: decision.reason,
      [TAG.decidedAt]: new Date(this.now()).toISOString(),
    };
    if (decision.challengerScore !== null) tags[TAG.challengerScore] = decision.challengerScore;
    if (decision.championScore !== null) tags[TAG.championScore] = decision.championScore;
    if (decision.promoted) {
      tags[TAG.promotedAt] = new Date(this.now()).toISOString();
      tags[TAG.promotedBy] = by.trigger === undefined ? 'command' : `${by.trigger.reason}:${by.trigger.id}`;
      if (by.previous !== null && by.previous !== version.version) tags[TAG.previousChampion] = by.previous;
    }
    // The decision goes last, and the alias after it: a hub that finds a decision finds the whole of it.
    const { [TAG.decision]: outcome, ...facts } = tags;
    for (const [key, value] of Object.entries(facts)) await this.#tag(experiment, version.version, key, value);
    await this.#tag(experiment, version.version, TAG.decision, outcome ?? 'refused');
    if (decision.promoted) await this.moveTo(experiment, version.version);
    this.telemetry.decided(experiment, decision.promoted ? 'promoted' : 'refused');
  }

  /** Points the alias to a version. */
  async moveTo({ model }: ResolvedExperiment, version: string): Promise<void> {
    await this.mlops.setRegisteredModelAlias(model, CHAMPION, version);
    this.#seen.delete(model);
  }

  /** Makes the champion's predecessor the champion again. `CONFLICT` when there is none. */
  async rollback(experiment: ResolvedExperiment): Promise<ModelVersion> {
    this.#seen.delete(experiment.model);
    const current = await this.require(experiment);
    const previous = current.tags[TAG.previousChampion];
    if (previous === undefined) {
      throw new HubError(
        'CONFLICT',
        `version ${current.version} of model ${JSON.stringify(experiment.model)} has no predecessor to go back to.`,
      );
    }
    const target = await this.version(experiment, previous);
    await this.#tag(experiment, current.version, TAG.rolledBackAt, new Date(this.now()).toISOString());
    await this.moveTo(experiment, target.version);
    this.telemetry.decided(experiment, 'rolled_back');
    return target;
  }

  async #tag({ model }: ResolvedExperiment, version: string, key: string, value: string | number | boolean) {
    await this.mlops.setModelVersionTag(model, version, key, value);
  }
}

/** The decision that a version was tagged with, or `null`. */
export function decisionOf({ tags }: Pick<ModelVersion, 'tags'>): PromotionDecision | null {
  const outcome = tags[TAG.decision];
  if (outcome === undefined) return null;
  const score = (key: string): number | null => (tags[key] === undefined ? null : Number(tags[key]));
  return {
    promoted: outcome === 'promoted',
    reason: tags[TAG.decisionReason] ?? '',
    challengerScore: score(TAG.challengerScore),
    championScore: score(TAG.championScore),
  };
}
