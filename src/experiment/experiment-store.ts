import { HubError } from '../core/errors.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { Run, ViewType } from '../mlops/mlops.types.js';
import type { TrainingTrigger, TriggerReason } from './experiment.types.js';
import type { Claims } from './claims.js';
import { ControlRun } from './control-run.js';
import { KIND, REQUEST_PATH, TAG } from './experiment.tags.js';
import { ExperimentTelemetry } from './experiment.telemetry.js';
import type { TrainingRequest } from './task-contract.js';

/** Characters that a tag holds on every backend; MLflow took 5000 before it took 8000. */
const TAG_MAX = 4_000;

/** The state of experiments on the MLOps backend: their runs, found again by any hub. */
export class ExperimentStore {
  readonly #ids = new Map<string, string>();
  readonly #control = new Map<string, string>();
  readonly #controlRuns: ControlRun;

  constructor(
    private readonly mlops: MLOpsPlugin,
    claims: Claims,
    private readonly telemetry = new ExperimentTelemetry(),
  ) {
    this.#controlRuns = new ControlRun(mlops, claims);
  }

  /** Id of the experiment, created when missing. */
  async experimentId(name: string): Promise<string> {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = await this.mlops.ensureExperiment(name);
    this.#ids.set(name, id);
    return id;
  }

  /** Whether anything was ever recorded for the experiment. Creates nothing. */
  async exists(name: string): Promise<boolean> {
    return this.#ids.has(name) || (await this.mlops.getExperimentByName(name)) !== null;
  }

  /** The run that carries what belongs to the experiment as a whole: claims and feedback. It is never ended. */
  async controlRun(name: string): Promise<string> {
    const known = this.#control.get(name);
    if (known !== undefined) return known;
    const runId = await this.#controlRuns.find(await this.experimentId(name));
    this.#control.set(name, runId);
    return runId;
  }

  /** The trainings of an experiment, latest first. */
  async trainings(name: string, viewType: ViewType = 'ACTIVE_ONLY'): Promise<Run[]> {
    if (!(await this.exists(name))) return [];
    const runs: Run[] = [];
    const filter = `tags.${TAG.kind} = '${KIND.training}'`;
    const experimentIds = [await this.experimentId(name)];
    for await (const run of this.mlops.searchRuns({ experimentIds, filter, viewType })) runs.push(run);
    return runs;
  }

  /** The tags that store what began a training, or none when it is too long for a tag: then {@link saveRequest}. */
  requestTags(request: TrainingRequest): Record<string, string> {
    const json = JSON.stringify(request);
    return json.length > TAG_MAX ? {} : { [TAG.request]: json };
  }

  /** Stores what began a training beside its run, where a tag does not hold it. */
  async saveRequest(runId: string, request: TrainingRequest): Promise<void> {
    if (this.requestTags(request)[TAG.request] === undefined) await this.mlops.logDict(runId, request, REQUEST_PATH);
  }

  /** What began a training. `NOT_FOUND` when its hub died before it was stored. */
  async loadRequest({ runId, tags }: Run): Promise<TrainingRequest> {
    const json = tags[TAG.request] ?? (await this.#readRequest(runId));
    return JSON.parse(json) as TrainingRequest;
  }

  async #readRequest(runId: string): Promise<string> {
    try {
      return (await this.mlops.readArtifactBytes(runId, REQUEST_PATH)).toString('utf8');
    } catch (cause) {
      if (!HubError.is(cause, 'NOT_FOUND')) throw cause;
      throw new HubError('NOT_FOUND', `the training of run ${runId} was never submitted, and its request is lost.`, {
        cause,
      });
    }
  }

  /**
   * Ends a training that did not succeed, unless it has ended already.
   * @param name of its experiment
   */
  async endFailed(name: string, runId: string, status: 'FAILED' | 'KILLED', error: string): Promise<void> {
    const run = await this.mlops.getRun(runId);
    if (run.status !== 'RUNNING') return;
    // A stack in a message may be longer.
    await this.mlops.setTag(runId, TAG.error, error.slice(0, TAG_MAX));
    await this.mlops.endRun(runId, status);
    this.telemetry.ended(name, run, status);
  }
}

/** What began the training of a run, from its tags. */
export function triggerOf(run: Run): TrainingTrigger {
  return {
    id: run.tags[TAG.triggerId] ?? run.runId,
    reason: (run.tags[TAG.triggerReason] ?? 'manual') as TriggerReason,
    at: Number(run.tags[TAG.triggerAt] ?? run.startTime),
  };
}

/** The `NOT_FOUND` error of an experiment that nobody has defined. */
export function unknownExperiment(name: string, known: Iterable<string>): HubError {
  const names = [...known].join(', ') || 'none';
  return new HubError(
    'NOT_FOUND',
    `there is no experiment ${JSON.stringify(name)}. Defined: ${names}. ` +
      'Add it under experiments in the configuration, or call define().',
  );
}
