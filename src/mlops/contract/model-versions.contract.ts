import assert from 'node:assert/strict';
import { contractSubject, rejectsWith, type ContractHarness, type ContractRunner } from '../../core/contract.js';
import type { MLOpsPlugin } from '../mlops.plugin.js';

/** @internal Contract of model versions. */
export function modelVersionsContract(runner: ContractRunner, harness: ContractHarness<MLOpsPlugin>): void {
  const { describe, it } = runner;
  describe('model versions', () => {
    const subject = contractSubject(runner, harness);
    runner.beforeEach(async () => {
      await subject.plugin.createRegisteredModel('m');
    });

    it('createModelVersion counts from 1 and keeps source, run, description and tags', async () => {
      const { plugin } = subject;
      const { runId } = await plugin.startRun(await plugin.createExperiment('e'));
      await plugin.logText(runId, 'weights', 'model/weights.txt');
      const source = `runs:/${runId}/model`;
      const first = await plugin.createModelVersion('m', { source, runId, description: 'first', tags: { acc: 0.9 } });
      const second = await plugin.createModelVersion('m', { source: 's3://bucket/2' });
      assert.deepEqual([first.name, first.version, first.source, first.runId], ['m', '1', source, runId]);
      assert.deepEqual(
        [first.description, first.tags, first.aliases, first.status],
        ['first', { acc: '0.9' }, [], 'READY'],
      );
      assert.ok(Math.abs(first.creationTime - Date.now()) < 60_000);
      assert.deepEqual(await plugin.getModelVersion('m', '1'), first);
      assert.deepEqual([second.version, second.runId, second.description], ['2', null, '']);
      // The source says which run it is.
      assert.equal((await plugin.createModelVersion('m', { source })).runId, runId);
    });

    it('racing creators get different versions', async () => {
      const { plugin } = subject;
      const made = await Promise.all(
        Array.from({ length: 6 }, (_, i) => plugin.createModelVersion('m', { source: `s3://b/${i}` })),
      );
      assert.deepEqual(made.map((version) => version.version).sort(), ['1', '2', '3', '4', '5', '6']);
    });

    it('unknown models, versions and runs are NOT_FOUND, bad arguments INVALID_ARGUMENT', async () => {
      const { plugin } = subject;
      await rejectsWith(() => plugin.createModelVersion('none', { source: 's3://b/1' }), 'NOT_FOUND');
      await rejectsWith(() => plugin.getModelVersion('m', '1'), 'NOT_FOUND');
      await rejectsWith(() => plugin.getModelVersion('none', '1'), 'NOT_FOUND');
      await rejectsWith(() => plugin.updateModelVersion('m', '1', { description: '' }), 'NOT_FOUND');
      await rejectsWith(() => plugin.deleteModelVersion('m', '1'), 'NOT_FOUND');
      await rejectsWith(() => plugin.setModelVersionTag('m', '1', 'k', 1), 'NOT_FOUND');
      await rejectsWith(() => plugin.deleteModelVersionTag('m', '1', 'k'), 'NOT_FOUND');
      await rejectsWith(() => plugin.createModelVersion('m', { source: '' }), 'INVALID_ARGUMENT');
      await rejectsWith(
        () => plugin.createModelVersion('m', { source: 's3://b/1', tags: { 'a//b': 1 } }),
        'INVALID_ARGUMENT',
      );
      await rejectsWith(() => plugin.getModelVersion('m', 'one'), 'INVALID_ARGUMENT');
    });

    it('updateModelVersion changes the description', async () => {
      const { plugin } = subject;
      await plugin.createModelVersion('m', { source: 's3://b/1' });
      assert.equal((await plugin.updateModelVersion('m', '1', { description: 'better' })).description, 'better');
      assert.equal((await plugin.getModelVersion('m', '1')).description, 'better');
    });

    it('setModelVersionTag sets and overwrites, deleteModelVersionTag removes', async () => {
      const { plugin } = subject;
      await plugin.createModelVersion('m', { source: 's3://b/1' });
      await plugin.setModelVersionTag('m', '1', 'k', 1);
      await plugin.setModelVersionTag('m', '1', 'k', 'two');
      assert.deepEqual((await plugin.getModelVersion('m', '1')).tags, { k: 'two' });
      await plugin.deleteModelVersionTag('m', '1', 'k');
      await plugin.deleteModelVersionTag('m', '1', 'k');
      assert.deepEqual((await plugin.getModelVersion('m', '1')).tags, {});
    });

    it('deleteModelVersion removes it and its aliases; its number is not used again', async () => {
      const { plugin } = subject;
      await plugin.createModelVersion('m', { source: 's3://b/1' });
      await plugin.createModelVersion('m', { source: 's3://b/2' });
      await plugin.setRegisteredModelAlias('m', 'champion', '2');
      await plugin.deleteModelVersion('m', '2');
      await rejectsWith(() => plugin.getModelVersion('m', '2'), 'NOT_FOUND');
      await rejectsWith(() => plugin.deleteModelVersion('m', '2'), 'NOT_FOUND');
      await rejectsWith(() => plugin.setRegisteredModelAlias('m', 'champion', '2'), 'NOT_FOUND');
      assert.equal(await plugin.getModelVersionByAlias('m', 'champion'), null);
      assert.deepEqual((await plugin.getRegisteredModel('m')).aliases, {});
      assert.equal((await plugin.createModelVersion('m', { source: 's3://b/3' })).version, '3');
    });
  });
}
