import { Readable } from 'node:stream';
import type { MLOpsPlugin } from '../../src/mlops/mlops.plugin.js';
import type { SearchRunsOptions } from '../../src/mlops/mlops.types.js';
import { forgive, replace, type Mutant } from './mutant.js';

/** Mutants of runs, searches, artifacts, the model registry and the plugin's life. */
export const storeMutants: Mutant<MLOpsPlugin>[] = [
  {
    name: 'ignores deleteRun',
    caughtBy: /^runs > deleteRun and restoreRun can be repeated/,
    mutate: (plugin) => replace(plugin, 'deleteRun', () => async () => undefined),
  },
  {
    name: 'ends every run as FINISHED',
    caughtBy: /^runs > endRun sets status and time/,
    mutate: (plugin) =>
      replace(plugin, 'endRun', (original) => (runId, _status, endTime) => original(runId, 'FINISHED', endTime)),
  },
  {
    name: 'ends a run before the writes that were made earlier',
    caughtBy: /^runs > endRun comes after writes that were not awaited$/,
    mutate(plugin) {
      let release = (): void => undefined;
      const ended = new Promise<void>((resolve) => (release = resolve));
      replace(plugin, 'logBatch', (original) => async (...args) => {
        await ended;
        await original(...args).catch(forgive('CLOSED'));
      });
      replace(plugin, 'endRun', (original) => async (...args) => {
        await original(...args);
        setTimeout(release, 50);
      });
    },
  },
  {
    name: 'ends a run whose work failed as FINISHED',
    caughtBy: /^runs > withRun ends the run FAILED when the work rejects/,
    mutate: (plugin) => replace(plugin, 'endRun', (original) => (runId) => original(runId)),
  },
  {
    name: 'makes a second experiment of a name by taking the first',
    caughtBy: /^experiments > a taken name is ALREADY_EXISTS/,
    mutate: (plugin) =>
      replace(plugin, 'createExperiment', (original) => async (name, options) => {
        const existing = await plugin.getExperimentByName(name);
        return existing?.experimentId ?? original(name, options);
      }),
  },
  {
    name: 'ignores the filter of a search',
    caughtBy: /^search > searchRuns filters by metrics, params, tags/,
    mutate: (plugin) => changeSearch(plugin, ({ filter: _filter, ...rest }) => rest),
  },
  {
    name: 'ignores the order of a search',
    caughtBy: /^search > searchRuns orders by what orderBy says/,
    mutate: (plugin) => changeSearch(plugin, ({ orderBy: _orderBy, ...rest }) => rest),
  },
  {
    name: 'finds deleted runs',
    caughtBy: /^search > searchRuns looks at the stage/,
    mutate: (plugin) => changeSearch(plugin, (options) => ({ ...options, viewType: 'ALL' })),
  },
  {
    name: 'stops after the first page of a search',
    caughtBy: /^search > pages are hidden/,
    mutate: (plugin) =>
      replace(
        plugin,
        'searchRuns',
        (original) =>
          async function* (options) {
            let left = options.pageSize ?? 1_000;
            for await (const run of original(options)) if (left-- > 0) yield run;
          },
      ),
  },
  {
    name: 'keeps the first chunk of an artifact only',
    caughtBy: /^artifacts > logStream stores a long stream/,
    mutate: (plugin) =>
      replace(plugin, 'logStream', (original) => async (runId, content, path) => {
        const { chunks } = await chunksOf(content);
        await original(runId, Readable.from(chunks.slice(0, 1)), path);
      }),
  },
  {
    name: 'stores the half of an upload that fails',
    caughtBy: /^artifacts > a stream that fails stores nothing and keeps the old file$/,
    mutate: (plugin) =>
      replace(plugin, 'logStream', (original) => async (runId, content, path) => {
        const { chunks, failure } = await chunksOf(content);
        await original(runId, Readable.from(chunks), path);
        if (failure !== undefined) await original(runId, Readable.from(failing(failure)), path);
      }),
  },
  {
    name: 'keeps the first of two artifacts of a path',
    caughtBy: /^artifacts > storing again replaces the file$/,
    mutate: (plugin) =>
      replace(plugin, 'logStream', (original) => async (runId, content, path) => {
        const known = await plugin.listArtifacts(runId);
        if (!known.some((file) => file.path === path)) await original(runId, content, path);
      }),
  },
  {
    name: 'lets an artifact path escape from its run',
    caughtBy: /^artifacts > paths that leave the root are INVALID_ARGUMENT$/,
    mutate: (plugin) =>
      replace(plugin, 'logStream', (original) => (runId, content, path) => {
        // In the store it would lie elsewhere; what counts is that the caller is not refused.
        return original(runId, content, path.replaceAll('..', 'up'));
      }),
  },
  {
    name: 'does not move an alias that exists',
    caughtBy: /^registered models > an alias points to a version, moves, and is deleted$/,
    mutate: (plugin) =>
      replace(plugin, 'setRegisteredModelAlias', (original) => async (name, alias, version) => {
        const current = await plugin.getModelVersionByAlias(name, alias);
        if (current === null) await original(name, alias, version);
      }),
  },
  {
    name: 'uses the number of a deleted version again',
    caughtBy: /^model versions > deleteModelVersion removes it and its aliases; its number is not used again$/,
    mutate(plugin) {
      const free: string[] = [];
      replace(plugin, 'deleteModelVersion', (original) => async (name, version) => {
        await original(name, version);
        free.push(version);
      });
      replace(plugin, 'createModelVersion', (original) => async (name, options) => {
        const made = await original(name, options);
        return { ...made, version: free.pop() ?? made.version };
      });
    },
  },
  {
    name: 'takes a second registration of a model name for the first',
    caughtBy: /^registered models > createRegisteredModel makes one/,
    mutate: (plugin) =>
      replace(plugin, 'createRegisteredModel', (original) => async (name, options) => {
        await original(name, options).catch(forgive('ALREADY_EXISTS'));
        return plugin.getRegisteredModel(name);
      }),
  },
  {
    name: 'answers when it is not open',
    caughtBy: /^life and health > getExperimentByName rejects with CLOSED/,
    mutate: (plugin) =>
      replace(plugin, 'getExperimentByName', (original) => async (name) => {
        return plugin.phase === 'open' ? original(name) : null;
      }),
  },
  {
    name: 'says that it is healthy after shutdown',
    caughtBy: /^life and health > initialize, drain and shutdown can be repeated/,
    mutate: (plugin) =>
      replace(plugin, 'healthCheck', (original) => async (timeout) => ({
        ...(await original(timeout)),
        healthy: true,
      })),
  },
];

function changeSearch(plugin: MLOpsPlugin, change: (options: SearchRunsOptions) => SearchRunsOptions): void {
  replace(plugin, 'searchRuns', (original) => (options) => original(change(options)));
}

/** The chunks of a stream up to its end or its failure. */
async function chunksOf(content: Readable): Promise<{ chunks: Buffer[]; failure?: unknown }> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of content) chunks.push(Buffer.from(chunk as Uint8Array));
    return { chunks };
  } catch (failure) {
    return { chunks, failure };
  }
}

function* failing(failure: unknown): Generator<Buffer> {
  yield Buffer.alloc(0);
  throw failure;
}
