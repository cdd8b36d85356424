import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import {
  collect,
  contractSubject,
  lifeContract,
  rejectsWith,
  type ContractHarness,
  type ContractRunner,
} from '../../core/contract.js';
import type { MLOpsPlugin } from '../mlops.plugin.js';

/** @internal Contract of a plugin's life: what a restart keeps, and that a plugin that is not open says so. */
export function lifeOfMLOpsContract(runner: ContractRunner, harness: ContractHarness<MLOpsPlugin>): void {
  const { describe, it } = runner;
  describe('restart and capabilities', () => {
    const subject = contractSubject(runner, harness);

    it('what was acknowledged survives a restart when supports.durable says so', async () => {
      const { plugin } = subject;
      const experimentId = await plugin.createExperiment('kept', { tags: { t: 1 } });
      const { runId } = await plugin.startRun(experimentId, { params: { p: 1 } });
      await plugin.logMetrics(runId, [
        { key: 'm', value: NaN, step: 1 },
        { key: 'm', value: 0.1, step: 2 },
      ]);
      await plugin.logText(runId, 'kept', 'a/b.txt');
      await plugin.createRegisteredModel('model');
      await plugin.createModelVersion('model', { source: `runs:/${runId}/a`, runId });
      await plugin.setRegisteredModelAlias('model', 'champion', '1');
      if (!plugin.supports.durable) {
        // Nothing is promised but that the plugin can be opened again and works.
        await plugin.shutdown();
        await plugin.initialize();
        await plugin.startRun(await plugin.ensureExperiment('kept'));
        return;
      }
      const [experiment, run] = [await plugin.getExperiment(experimentId), await plugin.getRun(runId)];
      const version = await plugin.getModelVersion('model', '1');
      const reopened = await subject.restart();
      assert.deepEqual(await reopened.getExperiment(experimentId), experiment);
      assert.deepEqual(await reopened.getRun(runId), run);
      assert.deepEqual(
        (await collect(reopened.getMetricHistory(runId, 'm'))).map((point) => point.value),
        [NaN, 0.1],
      );
      assert.equal((await reopened.readArtifactBytes(runId, 'a/b.txt')).toString(), 'kept');
      assert.deepEqual(await reopened.getModelVersionByAlias('model', 'champion'), version);
      await reopened.endRun(runId);
      assert.equal((await reopened.getRun(runId)).status, 'FINISHED');
    });

    it('drain and shutdown store writes that were not awaited', async () => {
      const { plugin } = subject;
      const { runId } = await plugin.startRun(await plugin.createExperiment('drained'));
      const writes = Array.from({ length: 100 }, (_, step) => plugin.logMetric(runId, 'm', step, { step }));
      const upload = plugin.logText(runId, 'text', 'a.txt');
      await plugin.drain();
      await Promise.all([...writes, upload]);
      const more = Array.from({ length: 100 }, (_, i) => plugin.logMetric(runId, 'm', i, { step: 100 + i }));
      await plugin.shutdown();
      await Promise.all(more);
      if (!plugin.supports.durable) return;
      const reopened = await subject.restart();
      assert.equal((await collect(reopened.getMetricHistory(runId, 'm'))).length, 200);
    });

    it('setTrackingUri is UNSUPPORTED after first use, and always without the capability', async () => {
      await rejectsWith(() => subject.plugin.setTrackingUri('http://127.0.0.1:1'), 'UNSUPPORTED');
      const fresh = await harness.create();
      try {
        if (!fresh.supports.trackingUri) {
          await rejectsWith(() => fresh.setTrackingUri('http://127.0.0.1:1'), 'UNSUPPORTED');
          return;
        }
        fresh.setTrackingUri('http://127.0.0.1:1');
        // Nothing listens there: it was the new address that was tried.
        const failed = await fresh.initialize().then(
          () =>
            fresh.createExperiment('x').then(
              () => false,
              () => true,
            ),
          () => true,
        );
        assert.equal(failed, true);
      } finally {
        await fresh.shutdown();
        await harness.cleanup?.(fresh);
      }
    });
  });

  const batch = { metrics: [{ key: 'k', value: 1 }] };
  lifeContract(runner, harness, {
    createExperiment: (plugin) => plugin.createExperiment('x'),
    getExperiment: (plugin) => plugin.getExperiment('0'),
    getExperimentByName: (plugin) => plugin.getExperimentByName('x'),
    ensureExperiment: (plugin) => plugin.ensureExperiment('x'),
    searchExperiments: (plugin) => plugin.searchExperiments(),
    renameExperiment: (plugin) => plugin.renameExperiment('0', 'x'),
    deleteExperiment: (plugin) => plugin.deleteExperiment('0'),
    restoreExperiment: (plugin) => plugin.restoreExperiment('0'),
    setExperimentTag: (plugin) => plugin.setExperimentTag('0', 'k', 1),
    deleteExperimentTag: (plugin) => plugin.deleteExperimentTag('0', 'k'),
    startRun: (plugin) => plugin.startRun('0'),
    withRun: (plugin) => plugin.withRun('x', {}, async () => undefined),
    endRun: (plugin) => plugin.endRun('r'),
    getRun: (plugin) => plugin.getRun('r'),
    searchRuns: (plugin) => plugin.searchRuns({ experimentIds: ['0'] }),
    renameRun: (plugin) => plugin.renameRun('r', 'x'),
    deleteRun: (plugin) => plugin.deleteRun('r'),
    restoreRun: (plugin) => plugin.restoreRun('r'),
    logBatch: (plugin) => plugin.logBatch('r', batch),
    logMetric: (plugin) => plugin.logMetric('r', 'k', 1),
    logMetrics: (plugin) => plugin.logMetrics('r', { k: 1 }),
    logParam: (plugin) => plugin.logParam('r', 'k', 1),
    logParams: (plugin) => plugin.logParams('r', { k: 1 }),
    setTag: (plugin) => plugin.setTag('r', 'k', 1),
    setTags: (plugin) => plugin.setTags('r', { k: 1 }),
    deleteTag: (plugin) => plugin.deleteTag('r', 'k'),
    logInputs: (plugin) => plugin.logInputs('r', []),
    getMetricHistory: (plugin) => plugin.getMetricHistory('r', 'k'),
    flush: (plugin) => plugin.flush(),
    logStream: (plugin) => plugin.logStream('r', Readable.from(['x']), 'x'),
    logBytes: (plugin) => plugin.logBytes('r', Buffer.from('x'), 'x'),
    logText: (plugin) => plugin.logText('r', 'x', 'x'),
    logDict: (plugin) => plugin.logDict('r', {}, 'x'),
    listArtifacts: (plugin) => plugin.listArtifacts('r'),
    readArtifact: (plugin) => plugin.readArtifact('r', 'x'),
    readArtifactBytes: (plugin) => plugin.readArtifactBytes('r', 'x'),
    downloadArtifacts: (plugin) => plugin.downloadArtifacts('r', 'x', 'never-made'),
    deleteArtifacts: (plugin) => plugin.deleteArtifacts('r', 'x'),
    createRegisteredModel: (plugin) => plugin.createRegisteredModel('m'),
    getRegisteredModel: (plugin) => plugin.getRegisteredModel('m'),
    updateRegisteredModel: (plugin) => plugin.updateRegisteredModel('m', { description: '' }),
    renameRegisteredModel: (plugin) => plugin.renameRegisteredModel('m', 'n'),
    deleteRegisteredModel: (plugin) => plugin.deleteRegisteredModel('m'),
    searchRegisteredModels: (plugin) => plugin.searchRegisteredModels(),
    setRegisteredModelTag: (plugin) => plugin.setRegisteredModelTag('m', 'k', 1),
    deleteRegisteredModelTag: (plugin) => plugin.deleteRegisteredModelTag('m', 'k'),
    setRegisteredModelAlias: (plugin) => plugin.setRegisteredModelAlias('m', 'a', '1'),
    deleteRegisteredModelAlias: (plugin) => plugin.deleteRegisteredModelAlias('m', 'a'),
    createModelVersion: (plugin) => plugin.createModelVersion('m', { source: 's3://b/1' }),
    getModelVersion: (plugin) => plugin.getModelVersion('m', '1'),
    getModelVersionByAlias: (plugin) => plugin.getModelVersionByAlias('m', 'a'),
    updateModelVersion: (plugin) => plugin.updateModelVersion('m', '1', { description: '' }),
    deleteModelVersion: (plugin) => plugin.deleteModelVersion('m', '1'),
    searchModelVersions: (plugin) => plugin.searchModelVersions(),
    setModelVersionTag: (plugin) => plugin.setModelVersionTag('m', '1', 'k', 1),
    deleteModelVersionTag: (plugin) => plugin.deleteModelVersionTag('m', '1', 'k'),
  });
}
