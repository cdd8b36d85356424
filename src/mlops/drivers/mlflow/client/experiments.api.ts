import { HubError } from '../../../../core/errors.js';
import { checkKey, checkPageSize, checkTags, checkText, LIMITS } from '../../../mlops.validation.js';
import type { CreateExperimentOptions, Experiment, LifecycleStage, StagedSearchOptions } from '../../../mlops.types.js';
import { CLIENT_TOKEN_TAG, CREATE_DEADLINE, createOnce, newClientToken, type ApiOptions } from './client-token.js';
import { API, checkExperimentId } from './identifiers.js';
import { isMaybeDone } from '../mlflow.errors.js';
import type { JsonRequest, MLflowTransport } from './mlflow.transport.types.js';
import { paged } from './paging.js';
import { experimentOf, wirePairs } from './wire.js';
import type { WireExperiment } from './wire.types.js';

/** Experiments, their life and tags. Meaning and errors as `MLOpsPlugin` promises them. */
export class ExperimentsApi {
  constructor(
    private readonly transport: MLflowTransport,
    private readonly options: ApiOptions = {},
  ) {}

  /** Creates an experiment and resolves to its id; made once although the answer may be lost. `ALREADY_EXISTS`. */
  async create(name: string, options: CreateExperimentOptions = {}): Promise<string> {
    checkText(name, "an experiment's name", LIMITS.experimentName, false);
    const { artifactLocation } = options;
    if (artifactLocation !== undefined) checkText(artifactLocation, 'artifactLocation', LIMITS.source, false);
    const token = newClientToken();
    const tags = [...checkTags(options.tags, LIMITS.experimentTagValue), [CLIENT_TOKEN_TAG, token] as const];
    return createOnce({
      deadline: this.options.createDeadline ?? CREATE_DEADLINE,
      create: async (deadline) => {
        const body = { name, artifact_location: artifactLocation, tags: wirePairs(tags) };
        const answer = await this.#post<{ experiment_id?: string }>('create', body, { deadline });
        return String(answer.experiment_id ?? '');
      },
      find: async (deadline) => {
        const wire = await this.#byName(name, deadline);
        const ours = wire?.tags?.some((tag) => tag.key === CLIENT_TOKEN_TAG && tag.value === token) ?? false;
        return ours ? wire?.experiment_id : undefined;
      },
    });
  }

  /** The experiment of that id, deleted ones included. `NOT_FOUND`. */
  async get(experimentId: string): Promise<Experiment> {
    const { experiment } = await this.transport.json<{ experiment?: WireExperiment }>({
      method: 'GET',
      path: `${API}/experiments/get`,
      query: { experiment_id: checkExperimentId(experimentId) },
    });
    return experimentOf(experiment);
  }

  /** The experiment of that name, deleted ones included, or `null`. */
  async getByName(name: string): Promise<Experiment | null> {
    checkText(name, "an experiment's name", Number.MAX_SAFE_INTEGER);
    if (name === '') return null;
    const wire = await this.#byName(name);
    return wire === undefined ? null : experimentOf(wire);
  }

  /** Everything that matches, newest first by default. */
  search(options: StagedSearchOptions = {}): AsyncGenerator<Experiment, void, undefined> {
    const { filter, orderBy = [], viewType = 'ACTIVE_ONLY', signal } = options;
    const pageSize = checkPageSize(options);
    const given = signal === undefined ? {} : { signal };
    return paged(
      async (pageToken) => {
        const answer = await this.#post<{ experiments?: WireExperiment[]; next_page_token?: string }>(
          'search',
          {
            max_results: pageSize,
            page_token: pageToken,
            filter,
            // Servers before 2.4 put the last change first.
            order_by: orderBy.length > 0 ? orderBy : ['creation_time DESC', 'experiment_id DESC'],
            view_type: viewType,
          },
          { repeatable: true, ...given },
        );
        return { items: (answer.experiments ?? []).map(experimentOf), nextPageToken: answer.next_page_token };
      },
      { key: (experiment) => experiment.experimentId, ...given },
    );
  }

  /** `ALREADY_EXISTS` when another has the name, `CONFLICT` when the experiment is deleted. */
  async rename(experimentId: string, newName: string): Promise<void> {
    checkText(newName, "an experiment's name", LIMITS.experimentName, false);
    // The server answers a deleted one with 500 and a taken name with the database's words: looked at before and after.
    const [experiment] = await Promise.all([this.get(experimentId), this.#ensureFree(newName, experimentId)]);
    if (experiment.lifecycleStage === 'deleted') throw deleted(experimentId);
    try {
      await this.#post('update', { experiment_id: experimentId, new_name: newName }, { repeatable: true });
    } catch (error) {
      if (HubError.is(error, 'INVALID_ARGUMENT', 'INTERNAL', 'CONFLICT')) {
        await this.#ensureFree(newName, experimentId);
      }
      throw error;
    }
  }

  /** Marks it deleted, and its runs with it. `CONFLICT` when it is deleted. */
  delete(experimentId: string): Promise<void> {
    return this.#setStage(experimentId, 'delete', 'deleted');
  }

  /** Undoes {@link delete}. `CONFLICT` when it is active. */
  restore(experimentId: string): Promise<void> {
    return this.#setStage(experimentId, 'restore', 'active');
  }

  /** Sets or overwrites a tag. */
  async setTag(experimentId: string, key: string, value: string | number | boolean): Promise<void> {
    const id = checkExperimentId(experimentId);
    for (const [, text] of checkTags({ [key]: value }, LIMITS.experimentTagValue)) {
      await this.#post('set-experiment-tag', { experiment_id: id, key, value: text }, { repeatable: true });
    }
  }

  /** `NOT_FOUND` when there is no such tag. */
  async deleteTag(experimentId: string, key: string): Promise<void> {
    checkKey(key, 'tag');
    await this.#post('delete-experiment-tag', { experiment_id: checkExperimentId(experimentId), key });
  }

  async #setStage(experimentId: string, method: 'delete' | 'restore', stage: LifecycleStage): Promise<void> {
    try {
      await this.#post(method, { experiment_id: checkExperimentId(experimentId) });
    } catch (error) {
      const lost = isMaybeDone(error);
      if (!lost && !HubError.is(error, 'NOT_FOUND', 'CONFLICT')) throw error;
      // The server knows only experiments of the other stage here and says "not found" to the rest.
      const { lifecycleStage } = await this.get(experimentId);
      if (lifecycleStage !== stage) throw error;
      if (lost) return;
      throw stage === 'deleted'
        ? deleted(experimentId)
        : new HubError('CONFLICT', `experiment ${experimentId} is active already.`);
    }
  }

  async #ensureFree(name: string, experimentId: string): Promise<void> {
    const taken = await this.#byName(name);
    if (taken === undefined || taken.experiment_id === experimentId) return;
    const hint = taken.lifecycle_stage === 'deleted' ? ' It is deleted: restore it, or choose another name.' : '';
    throw new HubError('ALREADY_EXISTS', `there is an experiment called ${JSON.stringify(name)} already.${hint}`);
  }

  async #byName(name: string, deadline?: number): Promise<WireExperiment | undefined> {
    try {
      const { experiment } = await this.transport.json<{ experiment?: WireExperiment }>({
        method: 'GET',
        path: `${API}/experiments/get-by-name`,
        query: { experiment_name: name },
        ...(deadline === undefined ? {} : { deadline }),
      });
      return experiment;
    } catch (error) {
      if (HubError.is(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  #post<T extends object>(name: string, body: object, rest: Partial<JsonRequest> = {}): Promise<T> {
    return this.transport.json<T>({ ...rest, method: 'POST', path: `${API}/experiments/${name}`, body });
  }
}

function deleted(experimentId: string): HubError {
  return new HubError('CONFLICT', `experiment ${experimentId} is deleted; restore it first.`);
}
