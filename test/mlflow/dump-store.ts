import { collect } from '../../src/core/contract.js';
import type { Metric, ModelVersion, Run } from '../../src/mlops/mlops.types.js';
import type { MLOpsPlugin } from '../../src/mlops/mlops.plugin.js';

/**
 * Everything in a store as the plugin reads it, in the shape that `read_store.py` prints.
 * @param resolved whether MLflow has to tell where a `runs:/` source lies; its server leaves that to its clients
 */
export async function dumpStore(plugin: MLOpsPlugin, resolved = true) {
  const experiments = await collect(plugin.searchExperiments({ viewType: 'ALL' }));
  const experimentIds = experiments.map((experiment) => experiment.experimentId);
  const runs = await collect(plugin.searchRuns({ experimentIds, viewType: 'ALL' }));
  const models = await collect(plugin.searchRegisteredModels());
  return {
    experiments: experiments
      .sort((a, b) => Number(a.experimentId) - Number(b.experimentId))
      .map((item) => ({
        id: item.experimentId,
        name: item.name,
        location: item.artifactLocation,
        stage: item.lifecycleStage,
        created: item.creationTime,
        updated: item.lastUpdateTime,
        tags: item.tags,
      })),
    runs: await Promise.all(runs.sort((a, b) => (a.runId < b.runId ? -1 : 1)).map((run) => dumpRun(plugin, run))),
    models: await Promise.all(
      models.map(async ({ name, description, tags, aliases }) => {
        const versions = await collect(plugin.searchModelVersions({ filter: `name = '${name}'` }));
        const byAlias = Object.keys(aliases).map(async (alias) => {
          return [alias, (await plugin.getModelVersionByAlias(name, alias))?.version];
        });
        return {
          name,
          description,
          tags,
          aliases,
          by_alias: Object.fromEntries(await Promise.all(byAlias)) as object,
          versions: await Promise.all(versions.reverse().map((version) => dumpVersion(plugin, version, resolved))),
        };
      }),
    ),
  };
}

async function dumpRun(plugin: MLOpsPlugin, run: Run) {
  const histories: Record<string, unknown[]> = {};
  for (const key of Object.keys(run.metrics)) {
    histories[key] = (await collect(plugin.getMetricHistory(run.runId, key))).map(pointOf);
  }
  const files: Record<string, unknown> = {};
  for await (const path of filesOf(plugin, run.runId)) {
    const content = await plugin.readArtifactBytes(run.runId, path);
    files[path] = [content.length, content.toString('hex')];
  }
  return {
    id: run.runId,
    experiment: run.experimentId,
    name: run.runName,
    user: run.userId,
    status: run.status,
    start: run.startTime,
    end: run.endTime,
    stage: run.lifecycleStage,
    uri: run.artifactUri,
    params: run.params,
    tags: run.tags,
    latest: Object.fromEntries(Object.values(run.metrics).map((metric) => [metric.key, pointOf(metric)[0]])),
    histories,
    inputs: run.inputs
      .map(({ name, digest, sourceType, source, schema, profile, tags }) => ({
        ...{ name, digest, type: sourceType, source, tags },
        ...{ schema: schema ?? null, profile: profile ?? null },
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    files,
  };
}

/** A version, and where MLflow has to find its files: a `runs:/` source lies among that run's artifacts. */
async function dumpVersion(plugin: MLOpsPlugin, item: ModelVersion, resolved: boolean) {
  const [, runId, path] = /^runs:\/([^/]+)(\/.*)$/.exec(item.source) ?? [];
  const location =
    runId === undefined || !resolved ? item.source : `${(await plugin.getRun(runId)).artifactUri}${path}`;
  const { version, source, runId: run, status, description, tags, aliases } = item;
  return { version, source, run, status, description, tags, aliases: aliases.sort(), location };
}

async function* filesOf(plugin: MLOpsPlugin, runId: string, folder = ''): AsyncGenerator<string> {
  for (const entry of await plugin.listArtifacts(runId, folder)) {
    if (entry.isDirectory) yield* filesOf(plugin, runId, entry.path);
    else yield entry.path;
  }
}

function pointOf({ value, timestamp, step }: Metric): unknown[] {
  return [Number.isNaN(value) ? 'NaN' : value, timestamp, step];
}
