import { HubError } from '../../../../core/errors.js';
import {
  checkBatch,
  checkDataset,
  checkFinalStatus,
  checkKey,
  checkPageSize,
  checkParams,
  checkTags,
  checkText,
  checkTime,
  invalid,
  LIMITS,
  type CheckedBatch,
} from '../../../mlops.validation.js';
import type {
  DatasetInput,
  FinalRunStatus,
  Run,
  RunBatch,
  SearchRunsOptions,
  StartRunOptions,
} from '../../../mlops.types.js';
import { CLIENT_TOKEN_TAG, CREATE_DEADLINE, createOnce, newClientToken, type ApiOptions } from './client-token.js';
import { API, checkExperimentId, checkModelId, checkRunId } from './identifiers.js';
import { splitBatch } from './log-batch.split.js';
import type { JsonRequest, MLflowTransport } from './mlflow.transport.types.js';
import { paged } from './paging.js';
import { newRun } from './new-run.js';
import { runOf, wireDataset, wireMetric, wirePairs } from './wire.js';
import type { WireRun } from './wire.types.js';

/** What a single request may be given. */
export type RequestLimits = Pick<JsonRequest, 'signal' | 'deadline' | 'attempts'>;

/** Runs, their life and what is logged to them. Meaning and errors as `MLOpsPlugin` promises them. */
export class RunsApi {
  constructor(
    private readonly transport: MLflowTransport,
    private readonly options: ApiOptions = {},
  ) {}

  /**
   * Creates a run with status RUNNING; made once although the answer may be lost. Its params are a second request: when
   * that one fails, the run stays as it is, and `details.runId` of the error names it.
   */
  async create(experimentId: string, options: StartRunOptions = {}): Promise<Run> {
    const id = checkExperimentId(experimentId);
    const params = checkParams(options.params);
    const startTime = checkTime(options.startTime ?? Date.now(), 'startTime');
    const { userId, runName, tags } = newRun(options);
    const token = newClientToken();
    tags.set(CLIENT_TOKEN_TAG, token);
    if (options.parentRunId !== undefined) await this.get(options.parentRunId);
    const run = await createOnce({
      deadline: this.options.createDeadline ?? CREATE_DEADLINE,
      create: async (deadline) => {
        const body = { experiment_id: id, user_id: userId, run_name: runName, start_time: startTime };
        const answer = await this.#post<{ run?: WireRun }>('create', { ...body, tags: wirePairs(tags) }, { deadline });
        return runOf(answer.run);
      },
      find: async (deadline) => {
        const filter = `tags.\`${CLIENT_TOKEN_TAG}\` = '${token}'`;
        const body = { experiment_ids: [id], filter, run_view_type: 'ALL', max_results: 1 };
        const { runs = [] } = await this.#post<{ runs?: WireRun[] }>('search', body, { repeatable: true, deadline });
        return runs[0] === undefined ? undefined : runOf(runs[0]);
      },
    });
    await this.#logFirst(run.runId, params);
    return { ...run, params: Object.fromEntries(params) };
  }

  /** The run with everything logged so far, deleted ones included. `NOT_FOUND`. */
  async get(runId: string): Promise<Run> {
    return runOf(await this.getWire(runId));
  }

  /** The run as the server sends it. @internal */
  async getWire(runId: string): Promise<WireRun> {
    const { run = {} } = await this.transport.json<{ run?: WireRun }>({
      method: 'GET',
      path: `${API}/runs/get`,
      query: { run_id: checkRunId(runId) },
    });
    return run;
  }

  /** Everything that matches, latest start first by default. */
  search(options: SearchRunsOptions): AsyncGenerator<Run, void, undefined> {
    const { experimentIds, filter, orderBy = [], viewType = 'ACTIVE_ONLY', signal } = options;
    if (!Array.isArray(experimentIds) || experimentIds.length === 0) {
      throw invalid('experimentIds has to name at least one experiment.');
    }
    const pageSize = checkPageSize(options);
    // Ids that no server gives match nothing, and would be an error of the whole search.
    const ids = (experimentIds as readonly string[]).filter((id) => /^\d{1,20}$/.test(id));
    const given = signal === undefined ? {} : { signal };
    return paged(
      async (pageToken) => {
        if (ids.length === 0) return { items: [] };
        const answer = await this.#post<{ runs?: WireRun[]; next_page_token?: string }>(
          'search',
          {
            experiment_ids: ids,
            filter,
            run_view_type: viewType,
            max_results: pageSize,
            order_by: orderBy,
            page_token: pageToken,
          },
          { repeatable: true, ...given },
        );
        return { items: (answer.runs ?? []).map(runOf), nextPageToken: answer.next_page_token };
      },
      { key: (run) => run.runId, ...given },
    );
  }

  /** Ends a run; again overwrites status and time. @param endTime ms since 1970, default now */
  async end(
    runId: string,
    status: FinalRunStatus = 'FINISHED',
    endTime: number = Date.now(),
    limits: RequestLimits = {},
  ): Promise<void> {
    const body = { status: checkFinalStatus(status), end_time: checkTime(endTime, 'endTime') };
    await this.#write('update', runId, body, limits);
  }

  /** Changes the name and the tag `mlflow.runName`. */
  async rename(runId: string, runName: string): Promise<void> {
    checkText(runName, "a run's name", LIMITS.runName, false);
    await this.#write('update', runId, { run_name: runName });
  }

  /** Marks the run deleted; again has no effect. */
  async delete(runId: string): Promise<void> {
    await this.#write('delete', runId, {});
  }

  /** Undoes {@link delete}; an active run stays as it is. */
  async restore(runId: string): Promise<void> {
    await this.#write('restore', runId, {});
  }

  /**
   * Logs metrics, params and tags, checked as a whole before anything is sent: `INVALID_ARGUMENT` names the first bad item.
   * What fits into one request (1 000 items, at most 100 of them params and 100 tags, about 1 MB) is stored as a whole or
   * not at all; more is sent in several, one after the other and params first, and when one fails the earlier ones stay.
   * Each is sent again when its answer is lost, which doubles nothing. Nothing is sent for an empty batch.
   * @param limits of each request
   */
  async logBatch(runId: string, batch: RunBatch, limits: RequestLimits = {}): Promise<void> {
    const id = checkRunId(runId);
    for (const part of splitBatch(checkBatch(batch))) await this.sendBatch(id, part, limits);
  }

  /**
   * Sends one log-batch request, stored as a whole or not at all; sent again when the answer is lost, which doubles nothing.
   * @internal
   * @param batch checked by `checkBatch`, and a part that `splitBatch` made
   */
  async sendBatch(runId: string, batch: CheckedBatch, limits: RequestLimits = {}): Promise<void> {
    const { metrics, params, tags } = batch;
    // Params first: the server's reader stops at the first thing that it does not understand.
    const body = { params: wirePairs(params), tags: wirePairs(tags), metrics: metrics.map(wireMetric) };
    await this.#write('log-batch', runId, body, limits);
  }

  /** Sets or overwrites a tag. */
  async setTag(runId: string, key: string, value: string | number | boolean): Promise<void> {
    for (const [, text] of checkTags({ [key]: value })) await this.#write('set-tag', runId, { key, value: text });
  }

  /** `NOT_FOUND` when there is no such tag. */
  async deleteTag(runId: string, key: string, limits: RequestLimits = {}): Promise<void> {
    checkKey(key, 'tag');
    await this.#post('delete-tag', { run_id: checkRunId(runId), key }, limits);
  }

  /** Notes data sets that the run used; the same (name, digest) twice is stored once. */
  async logInputs(runId: string, datasets: readonly DatasetInput[], limits: RequestLimits = {}): Promise<void> {
    const checked = datasets.map(checkDataset);
    await this.#write('log-inputs', runId, { datasets: checked.map(wireDataset) }, limits);
  }

  /**
   * Notes logged models (MLflow 3) that the run made, at a step of it: an integer, default 0. The server looks for none of
   * them; `NOT_FOUND` for an id that it could not have given, `INVALID_ARGUMENT` for a step that is no integer below 2^53.
   */
  async logOutputs(runId: string, models: readonly { modelId: string; step?: number }[]): Promise<void> {
    const outputs = models.map(({ modelId, step = 0 }) => ({ model_id: checkModelId(modelId), step: checkStep(step) }));
    await this.#write('outputs', runId, { models: outputs });
  }

  async #logFirst(runId: string, params: [string, string][]): Promise<void> {
    try {
      for (const part of splitBatch({ metrics: [], params, tags: [] })) await this.sendBatch(runId, part);
    } catch (error) {
      if (!HubError.is(error)) throw error;
      throw new HubError(error.code, `run ${runId} was created, but not its params: ${error.message}`, {
        cause: error,
        details: { ...error.details, runId },
      });
    }
  }

  /** A write that has the same effect when it is repeated. */
  async #write(name: string, runId: string, body: object, limits: RequestLimits = {}): Promise<void> {
    await this.#post(name, { run_id: checkRunId(runId), ...body }, { ...limits, repeatable: true });
  }

  #post<T extends object>(name: string, body: object, rest: Partial<JsonRequest> = {}): Promise<T> {
    return this.transport.json<T>({ ...rest, method: 'POST', path: `${API}/runs/${name}`, body });
  }
}

function checkStep(step: number): number {
  // The server would store a fraction, NaN or a rounded number without a word.
  if (Number.isSafeInteger(step)) return step;
  throw invalid(`the step of an output has to be an integer below 2^53, not ${String(step)}.`);
}
