import { throwIfAborted } from '../../../core/deadline.js';
import { checkPageSize, invalid } from '../../mlops.validation.js';
import type {
  Experiment,
  ModelVersion,
  RegisteredModel,
  Run,
  SearchOptions,
  SearchRunsOptions,
  StagedSearchOptions,
  ViewType,
} from '../../mlops.types.js';
import { EXPERIMENTS, MODELS, RUNS, VERSIONS } from './filter/search.schemas.js';
import { filterSql, orderSql, type SearchSchema, type Sql } from './filter/filter.sql.js';
import type { LocalDatabase } from './local.database.js';
import type { LocalExperiments } from './local.experiments.js';
import type { GroupCommit } from './local.group-commit.js';
import type { LocalModelVersions } from './local.model-versions.js';
import type { LocalModels } from './local.models.js';
import type { LocalRuns } from './local.runs.js';

/** What is searched in: the tables' readers by id. */
export interface SearchParts {
  experiments: LocalExperiments;
  runs: LocalRuns;
  models: LocalModels;
  versions: LocalModelVersions;
}

/**
 * The four searches. Each takes the ids of all matches at once, in order, and reads the rows page by page: so nothing is
 * skipped or doubled when rows change meanwhile, and memory holds one page and the ids.
 */
export class LocalSearches {
  constructor(
    private readonly db: LocalDatabase,
    private readonly commits: GroupCommit,
    private readonly parts: SearchParts,
  ) {}

  experiments(options: StagedSearchOptions = {}): AsyncGenerator<Experiment> {
    const stage = stageSql('e', options.viewType);
    const search = select('e.experiment_id AS id FROM experiments e', [stage], EXPERIMENTS, options);
    return this.#pages<{ id: number }, Experiment>(search, options, (rows) =>
      this.parts.experiments.list(rows.map((row) => row.id)),
    );
  }

  runs(options: SearchRunsOptions): AsyncGenerator<Run> {
    const { experimentIds } = options;
    if (!Array.isArray(experimentIds) || experimentIds.length === 0) {
      throw invalid('experimentIds has to name at least one experiment.');
    }
    const ids = (experimentIds as readonly string[]).filter((id) => /^\d{1,15}$/.test(id)).map(Number);
    const within = { sql: 'r.experiment_id IN (SELECT value FROM json_each(?))', params: [JSON.stringify(ids)] };
    const search = select('r.run_uuid AS id FROM runs r', [within, stageSql('r', options.viewType)], RUNS, options);
    return this.#pages<{ id: string }, Run>(search, options, (rows) => this.parts.runs.list(rows.map((row) => row.id)));
  }

  models(options: SearchOptions = {}): AsyncGenerator<RegisteredModel> {
    const search = select('m.name AS id FROM registered_models m', [], MODELS, options);
    return this.#pages<{ id: string }, RegisteredModel>(search, options, (rows) =>
      this.parts.models.list(rows.map((row) => row.id)),
    );
  }

  versions(options: SearchOptions = {}): AsyncGenerator<ModelVersion> {
    const kept = { sql: "v.current_stage IS NOT 'Deleted_Internal'", params: [] };
    const search = select('v.name AS name, v.version AS version FROM model_versions v', [kept], VERSIONS, options);
    return this.#pages<{ name: string; version: number }, ModelVersion>(search, options, (rows) =>
      this.parts.versions.list(rows),
    );
  }

  async *#pages<Key, Item>(
    { sql, params }: Sql,
    options: SearchOptions,
    read: (keys: Key[]) => Promise<Item[]>,
  ): AsyncGenerator<Item> {
    const { signal } = options;
    const pageSize = checkPageSize(options);
    throwIfAborted(signal);
    const keys = await this.commits.read(() => this.db.once<Key>(sql, params));
    for (let start = 0; start < keys.length; start += pageSize) {
      throwIfAborted(signal);
      for (const item of await read(keys.slice(start, start + pageSize))) {
        throwIfAborted(signal);
        yield item;
      }
    }
  }
}

function select(what: string, conditions: readonly Sql[], schema: SearchSchema, options: SearchOptions): Sql {
  const { filter = '', orderBy = [] } = options;
  if (typeof filter !== 'string') throw invalid('filter has to be a string.');
  if (!Array.isArray(orderBy)) throw invalid('orderBy has to be a list of strings.');
  const where = [...conditions, filterSql(filter, schema)];
  const order = orderSql(orderBy as readonly string[], schema);
  return {
    sql: `SELECT ${what} WHERE ${where.map((part) => part.sql).join(' AND ')} ORDER BY ${order.sql}`,
    params: [...where.flatMap((part) => part.params), ...order.params],
  };
}

function stageSql(table: string, viewType: ViewType = 'ACTIVE_ONLY'): Sql {
  switch (viewType) {
    case 'ACTIVE_ONLY':
      return { sql: `${table}.lifecycle_stage = 'active'`, params: [] };
    case 'DELETED_ONLY':
      return { sql: `${table}.lifecycle_stage = 'deleted'`, params: [] };
    case 'ALL':
      return { sql: '1', params: [] };
    default:
      throw invalid(`viewType has to be ACTIVE_ONLY, DELETED_ONLY or ALL, not ${JSON.stringify(viewType)}.`);
  }
}
