import { HubError } from '../core/errors.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { Run, ViewType } from '../mlops/mlops.types.js';
import type { TrainingTrigger, TriggerReason } from './experiment.types.js';
import { KIND, REQUEST_PATH, TAG } from './experiment.tags.js';
import type { TrainingRequest } from './task-contract.js';

/** The state of experiments on the MLOps backend: their runs, found again by any hub. */
export class ExperimentStore {
  readonly #ids = new Map<string, string>();
  readonly #control = new Map<string, string>();

  constructor(private readonly mlops: MLOpsPlugin) {}

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

  /**
   * The run that carries what belongs to the experiment as a whole: claims and the rolling metric. It is never ended.
   * When two hubs create it at the same moment, both go on with the one whose id is smaller.
   */
  async controlRun(name: string): Promise<string> {
    const known = this.#control.get(name);
    if (known !== undefined) return known;
    const experimentId = await this.experimentId(name);
    const find = async (): Promise<string | undefined> => {
      const ids: string[] = [];
      const filter = `tags.${TAG.kind} = '${KIND.control}'`;
      for await (const run of this.mlops.searchRuns({ experimentIds: [experimentId], filter })) ids.push(run.runId);
      return ids.sort()[0];
    };
    let runId = await find();
    if (runId === undefined) {
      const made = await this.mlops.startRun(experimentId, {
        runName: 'hub-control',
        tags: { [TAG.kind]: KIND.control },
      });
      runId = (await find()) ?? made.runId;
    }
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

  /** Stores what began a training with its run. */
  async saveRequest(runId: string, request: TrainingRequest): Promise<void> {
    await this.mlops.logDict(runId, request, REQUEST_PATH);
  }

  /** What began a training. `NOT_FOUND` when its hub died before it was stored. */
  async loadRequest(runId: string): Promise<TrainingRequest> {
    return JSON.parse((await this.mlops.readArtifactBytes(runId, REQUEST_PATH)).toString('utf8')) as TrainingRequest;
  }

  /** Ends a training that did not succeed, unless it has ended already. */
  async endFailed(runId: string, status: 'FAILED' | 'KILLED', error: string): Promise<void> {
    const run = await this.mlops.getRun(runId);
    if (run.status !== 'RUNNING') return;
    // 8000 characters is what a tag holds; a stack in a message may be longer.
    await this.mlops.setTag(runId, TAG.error, error.slice(0, 4_000));
    await this.mlops.endRun(runId, status);
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
