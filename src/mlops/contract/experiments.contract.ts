import assert from 'node:assert/strict';
import { contractSubject, rejectsWith, type ContractHarness, type ContractRunner } from '../../core/contract.js';
import type { MLOpsPlugin } from '../mlops.plugin.js';

/** @internal Contract of experiments. */
export function experimentsContract(runner: ContractRunner, harness: ContractHarness<MLOpsPlugin>): void {
  const { describe, it } = runner;
  describe('experiments', () => {
    const subject = contractSubject(runner, harness);

    it('createExperiment makes one that getExperiment and getExperimentByName find', async () => {
      const { plugin } = subject;
      const before = Date.now();
      const id = await plugin.createExperiment('churn ü/1', { tags: { team: 'a b', size: 3, live: true } });
      const found = await plugin.getExperiment(id);
      assert.equal(typeof id, 'string');
      assert.equal(found.experimentId, id);
      assert.equal(found.name, 'churn ü/1');
      assert.equal(found.lifecycleStage, 'active');
      assert.ok(found.artifactLocation.length > 0);
      assert.ok(Math.abs(found.creationTime - before) < 60_000);
      assert.ok(found.lastUpdateTime >= found.creationTime);
      assert.equal(found.tags['team'], 'a b');
      assert.equal(found.tags['size'], '3');
      assert.equal(found.tags['live'], 'true');
      assert.deepEqual(await plugin.getExperimentByName('churn ü/1'), found);
    });

    it('a missing experiment is NOT_FOUND by id and null by name', async () => {
      await rejectsWith(() => subject.plugin.getExperiment('987654321'), 'NOT_FOUND');
      await rejectsWith(() => subject.plugin.getExperiment('no-such-id'), 'NOT_FOUND');
      assert.equal(await subject.plugin.getExperimentByName('none'), null);
    });

    it('a taken name is ALREADY_EXISTS, also when its experiment is deleted', async () => {
      const { plugin } = subject;
      const id = await plugin.createExperiment('taken');
      await rejectsWith(() => plugin.createExperiment('taken'), 'ALREADY_EXISTS');
      await plugin.deleteExperiment(id);
      await rejectsWith(() => plugin.createExperiment('taken'), 'ALREADY_EXISTS');
    });

    it('an empty or too long name and a bad tag are INVALID_ARGUMENT, and nothing is made', async () => {
      const { plugin } = subject;
      await rejectsWith(() => plugin.createExperiment(''), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.createExperiment('x'.repeat(501)), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.createExperiment('bad tag', { tags: { 'a//b': 1 } }), 'INVALID_ARGUMENT');
      assert.equal(await plugin.getExperimentByName('bad tag'), null);
    });

    it('ensureExperiment gives racing callers one id', async () => {
      const { plugin } = subject;
      const ids = await Promise.all(Array.from({ length: 8 }, () => plugin.ensureExperiment('raced')));
      assert.equal(new Set(ids).size, 1);
      assert.equal(await plugin.ensureExperiment('raced'), ids[0]);
    });

    it('renameExperiment changes the name; a taken one is ALREADY_EXISTS', async () => {
      const { plugin } = subject;
      const id = await plugin.createExperiment('old');
      await plugin.createExperiment('other');
      await plugin.renameExperiment(id, 'new');
      assert.equal((await plugin.getExperiment(id)).name, 'new');
      assert.equal(await plugin.getExperimentByName('old'), null);
      await rejectsWith(() => plugin.renameExperiment(id, 'other'), 'ALREADY_EXISTS');
      await rejectsWith(() => plugin.renameExperiment('987654321', 'x'), 'NOT_FOUND');
    });

    it('deleteExperiment marks it and its runs deleted, restoreExperiment undoes both', async () => {
      const { plugin } = subject;
      const id = await plugin.createExperiment('life');
      const { runId } = await plugin.startRun(id);
      await plugin.deleteExperiment(id);
      assert.equal((await plugin.getExperiment(id)).lifecycleStage, 'deleted');
      assert.equal((await plugin.getExperimentByName('life'))?.lifecycleStage, 'deleted');
      assert.equal((await plugin.getRun(runId)).lifecycleStage, 'deleted');
      await plugin.restoreExperiment(id);
      assert.equal((await plugin.getExperiment(id)).lifecycleStage, 'active');
      assert.equal((await plugin.getRun(runId)).lifecycleStage, 'active');
    });

    it('what does not fit the stage is CONFLICT', async () => {
      const { plugin } = subject;
      const id = await plugin.createExperiment('stages');
      await rejectsWith(() => plugin.restoreExperiment(id), 'CONFLICT');
      await plugin.deleteExperiment(id);
      await rejectsWith(() => plugin.deleteExperiment(id), 'CONFLICT');
      await rejectsWith(() => plugin.renameExperiment(id, 'x'), 'CONFLICT');
      await rejectsWith(() => plugin.setExperimentTag(id, 'k', 'v'), 'CONFLICT');
      await rejectsWith(() => plugin.startRun(id), 'CONFLICT');
    });

    it('setExperimentTag sets and overwrites', async () => {
      const { plugin } = subject;
      const id = await plugin.createExperiment('tags');
      await plugin.setExperimentTag(id, 'k', 1);
      await plugin.setExperimentTag(id, 'k', 'two');
      assert.equal((await plugin.getExperiment(id)).tags['k'], 'two');
      await rejectsWith(() => plugin.setExperimentTag(id, '../k', 'v'), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.setExperimentTag('987654321', 'k', 'v'), 'NOT_FOUND');
    });

    it('deleteExperimentTag removes a tag, or is UNSUPPORTED', async () => {
      const { plugin } = subject;
      const id = await plugin.createExperiment('tags');
      await plugin.setExperimentTag(id, 'k', 1);
      if (!plugin.supports.experimentTagDeletion) {
        await rejectsWith(() => plugin.deleteExperimentTag(id, 'k'), 'UNSUPPORTED');
        assert.equal((await plugin.getExperiment(id)).tags['k'], '1');
        return;
      }
      await plugin.deleteExperimentTag(id, 'k');
      assert.equal((await plugin.getExperiment(id)).tags['k'], undefined);
      await rejectsWith(() => plugin.deleteExperimentTag(id, 'k'), 'NOT_FOUND');
    });
  });
}
