import {
  checkAlias,
  checkKey,
  checkModelName,
  checkPageSize,
  checkTags,
  checkText,
  checkVersion,
  LIMITS,
} from '../../../mlops.validation.js';
import type { RegisteredModel, ScalarMap, SearchOptions } from '../../../mlops.types.js';
import { CLIENT_TOKEN_TAG, CREATE_DEADLINE, createOnce, newClientToken, type ApiOptions } from './client-token.js';
import { HubError } from '../../../../core/errors.js';
import { API } from './identifiers.js';
import type { JsonRequest, MLflowTransport } from './mlflow.transport.types.js';
import { paged } from './paging.js';
import { registeredModelOf, wirePairs } from './wire.js';
import type { WireRegisteredModel } from './wire.types.js';

/** Most models of one page. */
const MAX_PAGE = 1_000;

/** The models of the registry, their tags and aliases. Meaning and errors as `MLOpsPlugin` promises them. */
export class RegisteredModelsApi {
  constructor(
    private readonly transport: MLflowTransport,
    private readonly options: ApiOptions = {},
  ) {}

  /** Made once although the answer may be lost. `ALREADY_EXISTS`. */
  async create(name: string, options: { description?: string; tags?: ScalarMap } = {}): Promise<RegisteredModel> {
    checkModelName(name);
    const description = checkText(options.description ?? '', 'a description', LIMITS.description);
    const token = newClientToken();
    const tags = [...checkTags(options.tags, LIMITS.registryTagValue), [CLIENT_TOKEN_TAG, token] as const];
    return createOnce({
      deadline: this.options.createDeadline ?? CREATE_DEADLINE,
      create: (deadline) =>
        this.#send('POST', 'create', { name, description, tags: wirePairs(tags) }, { repeatable: false, deadline }),
      find: async (deadline) => {
        try {
          const wire = await this.#get(name, deadline);
          const ours = wire.tags?.some((tag) => tag.key === CLIENT_TOKEN_TAG && tag.value === token) ?? false;
          return ours ? registeredModelOf(wire) : undefined;
        } catch (error) {
          if (HubError.is(error, 'NOT_FOUND')) return undefined;
          throw error;
        }
      },
    });
  }

  /** `NOT_FOUND`. */
  async get(name: string): Promise<RegisteredModel> {
    checkModelName(name);
    return registeredModelOf(await this.#get(name));
  }

  /** Everything that matches, by name by default. */
  search(options: SearchOptions = {}): AsyncGenerator<RegisteredModel, void, undefined> {
    const { filter, orderBy = [], signal } = options;
    const pageSize = Math.min(checkPageSize(options), MAX_PAGE);
    const given = signal === undefined ? {} : { signal };
    return paged(
      async (pageToken) => {
        const answer = await this.transport.json<{
          registered_models?: WireRegisteredModel[];
          next_page_token?: string;
        }>({
          method: 'GET',
          path: `${API}/registered-models/search`,
          query: {
            filter,
            max_results: pageSize,
            order_by: orderBy.length > 0 ? orderBy : ['name ASC'],
            page_token: pageToken,
          },
          ...given,
        });
        return {
          items: (answer.registered_models ?? []).map(registeredModelOf),
          nextPageToken: answer.next_page_token,
        };
      },
      { key: (model) => model.name, ...given },
    );
  }

  /** Changes the description. */
  async update(name: string, changes: { description: string }): Promise<RegisteredModel> {
    const description = checkText(changes.description, 'a description', LIMITS.description);
    return this.#send('PATCH', 'update', { name: checkModelName(name), description });
  }

  /** Renames the model, its versions, tags and aliases. `ALREADY_EXISTS`. */
  async rename(name: string, newName: string): Promise<RegisteredModel> {
    checkModelName(newName);
    const body = { name: checkModelName(name), new_name: newName };
    return this.#send('POST', 'rename', body, { repeatable: false });
  }

  /** Removes the model with its versions, tags and aliases. */
  async delete(name: string): Promise<void> {
    await this.#send('DELETE', 'delete', { name: checkModelName(name) }, { repeatable: false });
  }

  /** Sets or overwrites a tag. */
  async setTag(name: string, key: string, value: string | number | boolean): Promise<void> {
    checkModelName(name);
    for (const [, text] of checkTags({ [key]: value }, LIMITS.registryTagValue)) {
      await this.#send('POST', 'set-tag', { name, key, value: text });
    }
  }

  /** `NOT_FOUND` for the model; a missing tag has no effect. */
  async deleteTag(name: string, key: string): Promise<void> {
    await this.#send('DELETE', 'delete-tag', { name: checkModelName(name), key: checkKey(key, 'tag') });
  }

  /** Points `alias` to a version, moving it from another. `NOT_FOUND` for model and version. */
  async setAlias(name: string, alias: string, version: string): Promise<void> {
    const body = { name: checkModelName(name), alias: checkAlias(alias), version: String(checkVersion(version)) };
    await this.#send('POST', 'alias', body);
  }

  /** A missing alias has no effect. */
  async deleteAlias(name: string, alias: string): Promise<void> {
    await this.#send('DELETE', 'alias', { name: checkModelName(name), alias: checkAlias(alias) });
  }

  async #get(name: string, deadline?: number): Promise<WireRegisteredModel> {
    const { registered_model: model = {} } = await this.transport.json<{ registered_model?: WireRegisteredModel }>({
      method: 'GET',
      path: `${API}/registered-models/get`,
      query: { name },
      ...(deadline === undefined ? {} : { deadline }),
    });
    return model;
  }

  async #send(
    method: JsonRequest['method'],
    name: string,
    body: object,
    rest: Partial<JsonRequest> = { repeatable: true },
  ): Promise<RegisteredModel> {
    const answer = await this.transport.json<{ registered_model?: WireRegisteredModel }>({
      ...rest,
      method,
      path: `${API}/registered-models/${name}`,
      body,
    });
    return registeredModelOf(answer.registered_model);
  }
}
