import type { MLOpsPlugin } from '../../src/mlops/mlops.plugin.js';

/**
 * Writes some of everything: experiments (one deleted), nested runs (one deleted, one failed), histories, params, tags,
 * data sets, artifacts, models with versions and aliases. Resolves to the id of the main run.
 * @param name starts every name, so that a store can be filled more than once
 */
export async function fillStore(plugin: MLOpsPlugin, name: string): Promise<string> {
  const experimentId = await plugin.createExperiment(`${name} experiment ü`, { tags: { team: 'a b', size: 3 } });
  await plugin.setExperimentTag(experimentId, 'later', 'x'.repeat(4_000));
  const deleted = await plugin.createExperiment(`${name} deleted`);
  await plugin.startRun(deleted, { runName: 'goes with it' });
  await plugin.deleteExperiment(deleted);

  const { runId } = await plugin.startRun(experimentId, {
    runName: `${name} parent`,
    params: { lr: 0.1, 'with space/and.more': 'Ünï "quoted" \'text\' \n漢字', empty: '', long: 'p'.repeat(6_000) },
    tags: { stage: 'dev', long: 't'.repeat(5_000) },
    userId: 'ada',
  });
  await fillMetrics(plugin, runId);
  await plugin.logInputs(runId, [
    {
      name: 'weather',
      digest: 'd1g35t',
      sourceType: 'local',
      source: '{"uri": "/data/weather.csv"}',
      schema: '{"mlflow_colspec": []}',
      profile: '{"num_rows": 1461}',
      tags: { 'mlflow.data.context': 'training' },
    },
    { name: 'labels', digest: 'abc', sourceType: 'http', source: '{"url": "http://localhost/x"}' },
  ]);
  await plugin.logText(runId, 'Grüße\n', 'notes/a b ü.txt');
  await plugin.logBytes(runId, Buffer.from(Array.from({ length: 256 }, (_, i) => i)), 'model/deep/raw.bin');
  await plugin.logDict(runId, { a: [1, 2, { b: null }] }, 'model/config.json');
  const child = await plugin.startRun(experimentId, { parentRunId: runId, runName: 'child' });
  await plugin.endRun(child.runId, 'FAILED');
  const gone = await plugin.startRun(experimentId);
  await plugin.logMetric(gone.runId, 'm', 1);
  await plugin.deleteRun(gone.runId);
  await plugin.renameRun(runId, `${name} renamed`);
  await plugin.endRun(runId);

  const model = `${name} model`;
  await plugin.createRegisteredModel(model, { description: 'who leaves', tags: { team: 'a' } });
  await plugin.createModelVersion(model, {
    source: `runs:/${runId}/model`,
    runId,
    description: 'one',
    tags: { acc: 0.9 },
  });
  await plugin.createModelVersion(model, { source: 's3://bucket/two' });
  await plugin.createModelVersion(model, { source: 's3://bucket/three' });
  await plugin.setRegisteredModelAlias(model, 'champion', '1');
  await plugin.setRegisteredModelAlias(model, 'challenger', '2');
  await plugin.setRegisteredModelAlias(model, 'gone', '3');
  await plugin.deleteModelVersion(model, '3');
  await plugin.createRegisteredModel(`${name} other`);
  await plugin.createModelVersion(`${name} other`, { source: 's3://bucket/x', tags: { k: 'v' } });
  await plugin.setRegisteredModelAlias(`${name} other`, 'champion', '1');
  return runId;
}

async function fillMetrics(plugin: MLOpsPlugin, runId: string): Promise<void> {
  const loss = Array.from({ length: 1_000 }, (_, step) => ({
    key: 'loss/train',
    value: Math.sin(step) * 10 ** ((step % 60) - 30),
    step,
    timestamp: 1_700_000_000_000 + step,
  }));
  await plugin.logMetrics(runId, loss);
  const odd = [NaN, Infinity, -Infinity, 0, Number.MIN_VALUE, 1 / 3];
  await plugin.logMetrics(
    runId,
    odd.map((value, step) => ({ key: 'odd', value, step: step - 2, timestamp: 5 })),
  );
  await plugin.logMetric(runId, 'last is NaN', NaN, { step: 9, timestamp: 5 });
  await plugin.logMetric(runId, 'last is NaN', 1, { step: 8, timestamp: 6 });
}
