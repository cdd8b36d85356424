import { HubError } from '../../../../core/errors.js';
import {
  checkKey,
  checkPageSize,
  checkParams,
  checkTags,
  checkText,
  invalid,
  LIMITS,
} from '../../../mlops.validation.js';
import type { ModelVersion, ScalarMap } from '../../../mlops.types.js';
import { CLIENT_TOKEN_TAG, CREATE_DEADLINE, createOnce, newClientToken, type ApiOptions } from './client-token.js';
import { API, checkExperimentId, checkModelId, checkRunId } from './identifiers.js';
import type { LoggedModel, NewLoggedModel, SearchLoggedModels } from './logged-models.types.js';
import { loggedModelOf, orderOf } from './logged-models.wire.js';
import type { JsonRequest, MLflowTransport } from './mlflow.transport.types.js';
import type { ModelVersionsApi, NewModelVersion } from './model-versions.api.js';
import { paged } from './paging.js';
import { wirePairs } from './wire.js';
import type { WireLoggedModel } from './wire.types.js';

const PATH = `${API}/logged-models`;
/** Most models of one page. */
const MAX_PAGE = 100;
/** Most params of one request. */
const MAX_PARAMS = 100;

/** The logged models of MLflow 3; `NOT_FOUND` or `UNSUPPORTED` on older servers. Their files: `ArtifactsApi`. */
export class LoggedModelsApi {
  constructor(
    private readonly transport: MLflowTransport,
    private readonly versions: ModelVersionsApi,
    private readonly options: ApiOptions = {},
  ) {}

  /** Creates one with status PENDING; made once although the answer may be lost. Upload its files, then {@link finalize}. */
  async create(experimentId: string, options: NewLoggedModel = {}): Promise<LoggedModel> {
    const id = checkExperimentId(experimentId);
    const { name, modelType, sourceRunId } = options;
    if (name !== undefined) checkText(name, "a logged model's name", 500, false);
    if (modelType !== undefined) checkText(modelType, "a logged model's type", 500);
    if (sourceRunId !== undefined) checkRunId(sourceRunId);
    const params = checkParams(options.params);
    const token = newClientToken();
    const tags = [...checkTags(options.tags, LIMITS.tagValue), [CLIENT_TOKEN_TAG, token] as const];
    const body = { experiment_id: id, name, model_type: modelType, source_run_id: sourceRunId, tags: wirePairs(tags) };
    const first = wirePairs(params.slice(0, MAX_PARAMS));
    const model = await createOnce({
      deadline: this.options.createDeadline ?? CREATE_DEADLINE,
      create: (deadline) => this.#send('POST', '', { ...body, params: first }, { deadline }),
      find: async (deadline) => {
        const filter = `tags.\`${CLIENT_TOKEN_TAG}\` = '${token}'`;
        const found = await this.#page({ experiment_ids: [id], filter, max_results: 1 }, { deadline });
        return found.models?.[0] === undefined ? undefined : loggedModelOf(found.models[0]);
      },
    });
    for (let at = MAX_PARAMS; at < params.length; at += MAX_PARAMS) {
      const more = { model_id: model.modelId, params: wirePairs(params.slice(at, at + MAX_PARAMS)) };
      await this.#send('POST', `/${model.modelId}/params`, more, { repeatable: true });
    }
    return { ...model, params: Object.fromEntries(params) };
  }

  /** Says that its files are complete (READY) or never will be. */
  async finalize(modelId: string, status: 'READY' | 'UPLOAD_FAILED' = 'READY'): Promise<LoggedModel> {
    if (status !== 'READY' && status !== 'UPLOAD_FAILED') throw invalid('status has to be READY or UPLOAD_FAILED.');
    const body = { model_id: checkModelId(modelId), status: `LOGGED_MODEL_${status}` };
    return this.#send('PATCH', `/${modelId}`, body, { repeatable: true });
  }

  /** `NOT_FOUND`. */
  async get(modelId: string): Promise<LoggedModel> {
    return this.#send('GET', `/${checkModelId(modelId)}`);
  }

  /** As {@link get}, or `undefined` when there is no such model. */
  async find(modelId: string): Promise<LoggedModel | undefined> {
    try {
      return await this.get(modelId);
    } catch (error) {
      if (HubError.is(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  /** Everything that matches, newest first by default. */
  search(options: SearchLoggedModels): AsyncGenerator<LoggedModel, void, undefined> {
    const { experimentIds, filter, orderBy = [], signal } = options;
    if (!Array.isArray(experimentIds) || experimentIds.length === 0) {
      throw invalid('experimentIds has to name at least one experiment.');
    }
    const pageSize = Math.min(checkPageSize(options), MAX_PAGE);
    const given = signal === undefined ? {} : { signal };
    const order = orderBy.map(orderOf);
    return paged(
      async (pageToken) => {
        const answer = await this.#page(
          {
            experiment_ids: experimentIds,
            filter,
            max_results: pageSize,
            order_by: order.length > 0 ? order : undefined,
            page_token: pageToken,
          },
          given,
        );
        return { items: (answer.models ?? []).map(loggedModelOf), nextPageToken: answer.next_page_token };
      },
      { key: (model) => model.modelId, ...given },
    );
  }

  /** Sets or overwrites tags. */
  async setTags(modelId: string, tags: ScalarMap): Promise<void> {
    const body = { model_id: checkModelId(modelId), tags: wirePairs(checkTags(tags)) };
    await this.#send('PATCH', `/${modelId}/tags`, body, { repeatable: true });
  }

  /** `NOT_FOUND` when there is no such tag. A key with `/` cannot be named on the server: `UNSUPPORTED`. */
  async deleteTag(modelId: string, key: string): Promise<void> {
    if (checkKey(key, 'tag').includes('/')) {
      throw new HubError('UNSUPPORTED', 'MLflow has no way to delete a tag with "/" in its key from a logged model.');
    }
    await this.#send('DELETE', `/${checkModelId(modelId)}/tags/${encodeURIComponent(key)}`, {});
  }

  /** Marks it deleted. `NOT_FOUND`. */
  async delete(modelId: string): Promise<void> {
    await this.#send('DELETE', `/${checkModelId(modelId)}`, { model_id: modelId });
  }

  /** Adds the model as the next version of a registered model. `NOT_FOUND` for both. */
  async register(
    modelId: string,
    name: string,
    options: Pick<NewModelVersion, 'description' | 'tags'> = {},
  ): Promise<ModelVersion> {
    const { sourceRunId } = await this.get(modelId);
    const run = sourceRunId === null ? {} : { runId: sourceRunId };
    return this.versions.create(name, { ...options, ...run, source: `models:/${modelId}`, modelId });
  }

  #page(body: object, rest: Partial<JsonRequest>): Promise<{ models?: WireLoggedModel[]; next_page_token?: string }> {
    return this.transport.json({ ...rest, method: 'POST', path: `${PATH}/search`, body, repeatable: true });
  }

  async #send(
    method: JsonRequest['method'],
    below: string,
    body?: object,
    rest: Partial<JsonRequest> = {},
  ): Promise<LoggedModel> {
    const request: JsonRequest = { ...rest, method, path: `${PATH}${below}`, ...(body === undefined ? {} : { body }) };
    const answer = await this.transport.json<{ model?: WireLoggedModel }>(request);
    return loggedModelOf(answer.model);
  }
}
