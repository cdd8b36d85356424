import { sleep } from '../../../../core/deadline.js';
import { HubError } from '../../../../core/errors.js';
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
import type { CreateModelVersionOptions, ModelVersion, SearchOptions } from '../../../mlops.types.js';
import { CLIENT_TOKEN_TAG, CREATE_DEADLINE, createOnce, newClientToken, type ApiOptions } from './client-token.js';
import { API } from './identifiers.js';
import { parseModelUri } from './model-uri.parse.js';
import type { JsonRequest, MLflowTransport } from './mlflow.transport.types.js';
import { paged } from './paging.js';
import type { RegisteredModelsApi } from './registered-models.api.js';
import type { RunsApi } from './runs.api.js';
import { modelVersionOf, wirePairs } from './wire.js';
import type { WireModelVersion } from './wire.types.js';

/** Most versions of one page. */
const MAX_PAGE = 10_000;
/** How long a version may be registered by the server, in ms, and how often it is looked at. */
const READY = { deadline: 300_000, interval: 1_000 };

/** Options of {@link ModelVersionsApi.create}. */
export interface NewModelVersion extends CreateModelVersionOptions {
  /** The logged model (MLflow 3) that is registered; default: the one that `source` names. */
  modelId?: string;
}

/** The versions of registered models. Meaning and errors as `MLOpsPlugin` promises them. */
export class ModelVersionsApi {
  constructor(
    private readonly transport: MLflowTransport,
    private readonly models: RegisteredModelsApi,
    private readonly runs: RunsApi,
    private readonly options: ApiOptions = {},
  ) {}

  /**
   * Adds the next version; made once although the answer may be lost. `NOT_FOUND` for model and run. A source
   * `runs:/<run>/…` gives the run, and `models:/m-…` the logged model, that the server wants to be named beside it.
   */
  async create(name: string, options: NewModelVersion): Promise<ModelVersion> {
    checkModelName(name);
    const source = checkText(options.source, "a model version's source", LIMITS.source, false);
    const description = checkText(options.description ?? '', 'a description', LIMITS.description);
    const token = newClientToken();
    const tags = [...checkTags(options.tags, LIMITS.registryTagValue), [CLIENT_TOKEN_TAG, token] as const];
    const named = originOf(source);
    const runId = options.runId ?? named.runId;
    const modelId = options.modelId ?? named.modelId;
    // The server takes any run id.
    if (runId !== undefined) await this.runs.get(runId);
    const body = { name, source, run_id: runId, model_id: modelId, description, tags: wirePairs(tags) };
    try {
      return await createOnce({
        deadline: this.options.createDeadline ?? CREATE_DEADLINE,
        create: (deadline) => this.#send('POST', 'create', body, { repeatable: false, deadline }),
        find: async (deadline) => {
          // Not by name: filters have no way to write one with both kinds of quotes.
          const filter = `tags.\`${CLIENT_TOKEN_TAG}\` = '${token}'`;
          const { model_versions: found = [] } = await this.#page({ filter, max_results: 1 }, { deadline });
          return found[0] === undefined ? undefined : modelVersionOf(found[0]);
        },
      });
    } catch (error) {
      // The server looks at the source first; that the model is missing is the more useful answer.
      if (HubError.is(error, 'INVALID_ARGUMENT')) await this.models.get(name);
      throw error;
    }
  }

  /** `NOT_FOUND`. */
  async get(name: string, version: string): Promise<ModelVersion> {
    return modelVersionOf(await this.getWire(name, version));
  }

  /** The version as the server sends it. @internal */
  async getWire(name: string, version: string): Promise<WireModelVersion> {
    const query = { name: checkModelName(name), version: String(checkVersion(version)) };
    const path = `${API}/model-versions/get`;
    const answer = await this.transport.json<{ model_version?: WireModelVersion }>({ method: 'GET', path, query });
    return answer.model_version ?? {};
  }

  /** The version that `alias` points to, or `null` when the model has no such alias. `NOT_FOUND` for the model. */
  async getByAlias(name: string, alias: string): Promise<ModelVersion | null> {
    const query = { name: checkModelName(name), alias: checkAlias(alias) };
    const path = `${API}/registered-models/alias`;
    try {
      const answer = await this.transport.json<{ model_version?: WireModelVersion }>({ method: 'GET', path, query });
      return modelVersionOf(answer.model_version);
    } catch (error) {
      // Not the model is missing but the alias, or the version that it pointed to.
      if (!HubError.is(error, 'INVALID_ARGUMENT', 'NOT_FOUND')) throw error;
      await this.models.get(name);
      return null;
    }
  }

  /** The greatest version, of a stage when one is given (MLflow's old stages). `NOT_FOUND` when there is none. */
  async getLatest(name: string, stage?: string): Promise<ModelVersion> {
    const path = `${API}/registered-models/get-latest-versions`;
    const body = { name: checkModelName(name), ...(stage === undefined ? {} : { stages: [stage] }) };
    const answer = await this.transport.json<{ model_versions?: WireModelVersion[] }>({
      method: 'POST',
      path,
      body,
      repeatable: true,
    });
    const versions = (answer.model_versions ?? []).map(({ version }) => Number(version));
    if (versions.length > 0) return this.get(name, String(Math.max(...versions)));
    const what = stage === undefined ? 'no version' : `no version of stage ${JSON.stringify(stage)}`;
    throw new HubError('NOT_FOUND', `the registered model ${JSON.stringify(name)} has ${what}.`);
  }

  /**
   * Everything that matches, by default by name, the latest version first. Servers leave the aliases out of a search, so
   * those of each model are fetched when its first version is reached.
   */
  async *search(options: SearchOptions = {}): AsyncGenerator<ModelVersion, void, undefined> {
    const { filter, orderBy = [], signal } = options;
    const pageSize = Math.min(checkPageSize(options), MAX_PAGE);
    const given = signal === undefined ? {} : { signal };
    const found = paged(
      async (pageToken) => {
        const order = orderBy.length > 0 ? orderBy : ['name ASC', 'version_number DESC'];
        const query = { filter, max_results: pageSize, order_by: order, page_token: pageToken };
        const answer = await this.#page(query, given);
        return { items: (answer.model_versions ?? []).map(modelVersionOf), nextPageToken: answer.next_page_token };
      },
      { key: ({ name, version }) => `${version} ${name}`, ...given },
    );
    const aliases = new Map<string, Map<string, string[]>>();
    for await (const version of found) {
      let ofModel = aliases.get(version.name);
      if (ofModel === undefined) aliases.set(version.name, (ofModel = await this.#aliasesOf(version.name)));
      yield { ...version, aliases: ofModel.get(version.version) ?? [] };
    }
  }

  /** Changes the description. */
  async update(name: string, version: string, changes: { description: string }): Promise<ModelVersion> {
    const description = checkText(changes.description, 'a description', LIMITS.description);
    return this.#send('PATCH', 'update', { ...keyOf(name, version), description });
  }

  /** Removes the version and the aliases that point to it. */
  async delete(name: string, version: string): Promise<void> {
    const key = keyOf(name, version);
    await this.#send('DELETE', 'delete', key, { repeatable: false });
    // MLflow 2 keeps the aliases.
    for (const alias of (await this.#aliasesOf(name)).get(key.version) ?? [])
      await this.models.deleteAlias(name, alias);
  }

  /** Sets or overwrites a tag. */
  async setTag(name: string, version: string, key: string, value: string | number | boolean): Promise<void> {
    for (const [, text] of checkTags({ [key]: value }, LIMITS.registryTagValue)) {
      await this.#send('POST', 'set-tag', { ...keyOf(name, version), key, value: text });
    }
  }

  /** A missing tag has no effect. */
  async deleteTag(name: string, version: string, key: string): Promise<void> {
    await this.#send('DELETE', 'delete-tag', { ...keyOf(name, version), key: checkKey(key, 'tag') });
  }

  /** The URI of the version's files, as the server resolves it. */
  async getDownloadUri(name: string, version: string): Promise<string> {
    const path = `${API}/model-versions/get-download-uri`;
    const answer = await this.transport.json<{ artifact_uri?: string }>({
      method: 'GET',
      path,
      query: keyOf(name, version),
    });
    return answer.artifact_uri ?? '';
  }

  /**
   * Waits until the server has registered the version; most have when `create` resolves. `CONFLICT` when it failed.
   * @param options.deadline in ms, default 5 minutes; `TIMEOUT` then
   */
  async waitUntilReady(
    name: string,
    version: string,
    options: { deadline?: number; signal?: AbortSignal } = {},
  ): Promise<ModelVersion> {
    const end = Date.now() + (options.deadline ?? READY.deadline);
    for (;;) {
      const found = await this.get(name, version);
      if (found.status === 'READY') return found;
      const what = `version ${version} of the registered model ${JSON.stringify(name)}`;
      if (found.status === 'FAILED_REGISTRATION') throw new HubError('CONFLICT', `${what} could not be registered.`);
      if (Date.now() + READY.interval > end) throw new HubError('TIMEOUT', `${what} is still being registered.`);
      await sleep(READY.interval, options.signal);
    }
  }

  async #aliasesOf(name: string): Promise<Map<string, string[]>> {
    const byVersion = new Map<string, string[]>();
    try {
      const { aliases } = await this.models.get(name);
      for (const [alias, version] of Object.entries(aliases)) {
        byVersion.set(version, [...(byVersion.get(version) ?? []), alias]);
      }
    } catch (error) {
      // Deleted since, or a name that only other clients can make.
      if (!HubError.is(error, 'NOT_FOUND', 'INVALID_ARGUMENT')) throw error;
    }
    return byVersion;
  }

  #page(
    query: NonNullable<JsonRequest['query']>,
    rest: Partial<JsonRequest>,
  ): Promise<{ model_versions?: WireModelVersion[]; next_page_token?: string }> {
    return this.transport.json({ ...rest, method: 'GET', path: `${API}/model-versions/search`, query });
  }

  async #send(
    method: JsonRequest['method'],
    name: string,
    body: object,
    rest: Partial<JsonRequest> = { repeatable: true },
  ): Promise<ModelVersion> {
    const path = `${API}/model-versions/${name}`;
    const answer = await this.transport.json<{ model_version?: WireModelVersion }>({ ...rest, method, path, body });
    return modelVersionOf(answer.model_version);
  }
}

function keyOf(name: string, version: string): { name: string; version: string } {
  return { name: checkModelName(name), version: String(checkVersion(version)) };
}

function originOf(source: string): { runId?: string; modelId?: string } {
  const uri = /^(runs|models):\//.test(source) ? parseModelUri(source) : undefined;
  if (uri?.kind === 'run') return { runId: uri.runId };
  return uri?.kind === 'loggedModel' ? { modelId: uri.modelId } : {};
}
