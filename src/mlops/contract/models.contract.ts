import assert from 'node:assert/strict';
import { contractSubject, rejectsWith, type ContractHarness, type ContractRunner } from '../../core/contract.js';
import type { MLOpsPlugin } from '../mlops.plugin.js';

/** @internal Contract of registered models: their life, tags and aliases. */
export function modelsContract(runner: ContractRunner, harness: ContractHarness<MLOpsPlugin>): void {
  const { describe, it } = runner;
  describe('registered models', () => {
    const subject = contractSubject(runner, harness);

    it('createRegisteredModel makes one that getRegisteredModel finds', async () => {
      const { plugin } = subject;
      const made = await plugin.createRegisteredModel('churn ü', {
        description: 'who leaves',
        tags: { team: 'a', n: 1 },
      });
      assert.deepEqual(await plugin.getRegisteredModel('churn ü'), made);
      assert.deepEqual([made.name, made.description, made.aliases], ['churn ü', 'who leaves', {}]);
      assert.deepEqual(made.tags, { team: 'a', n: '1' });
      assert.ok(Math.abs(made.creationTime - Date.now()) < 60_000);
      await rejectsWith(() => plugin.createRegisteredModel('churn ü'), 'ALREADY_EXISTS');
      await rejectsWith(() => plugin.getRegisteredModel('none'), 'NOT_FOUND');
    });

    it('a bad name is INVALID_ARGUMENT', async () => {
      for (const name of ['', ' ', 'a/b', 'a:b', 'x'.repeat(257)]) {
        await rejectsWith(() => subject.plugin.createRegisteredModel(name), 'INVALID_ARGUMENT');
      }
    });

    it('updateRegisteredModel changes the description', async () => {
      const { plugin } = subject;
      await plugin.createRegisteredModel('m');
      assert.equal((await plugin.updateRegisteredModel('m', { description: 'better' })).description, 'better');
      assert.equal((await plugin.getRegisteredModel('m')).description, 'better');
      await rejectsWith(() => plugin.updateRegisteredModel('none', { description: '' }), 'NOT_FOUND');
    });

    it('renameRegisteredModel takes versions, tags and aliases along', async () => {
      const { plugin } = subject;
      await plugin.createRegisteredModel('old', { tags: { t: 'x' } });
      await plugin.createModelVersion('old', { source: 's3://bucket/1', tags: { v: 'y' } });
      await plugin.setRegisteredModelAlias('old', 'champion', '1');
      await plugin.createRegisteredModel('other');
      await rejectsWith(() => plugin.renameRegisteredModel('old', 'other'), 'ALREADY_EXISTS');
      assert.equal((await plugin.renameRegisteredModel('old', 'new')).name, 'new');
      const renamed = await plugin.getRegisteredModel('new');
      assert.deepEqual([renamed.tags, renamed.aliases], [{ t: 'x' }, { champion: '1' }]);
      const version = await plugin.getModelVersionByAlias('new', 'champion');
      assert.deepEqual([version?.name, version?.version, version?.tags], ['new', '1', { v: 'y' }]);
      await rejectsWith(() => plugin.getRegisteredModel('old'), 'NOT_FOUND');
      await rejectsWith(() => plugin.renameRegisteredModel('old', 'x'), 'NOT_FOUND');
    });

    it('deleteRegisteredModel removes it with versions, tags and aliases', async () => {
      const { plugin } = subject;
      await plugin.createRegisteredModel('m', { tags: { t: 'x' } });
      await plugin.createModelVersion('m', { source: 's3://bucket/1', tags: { v: 'y' } });
      await plugin.setRegisteredModelAlias('m', 'champion', '1');
      await plugin.deleteRegisteredModel('m');
      await rejectsWith(() => plugin.getRegisteredModel('m'), 'NOT_FOUND');
      await rejectsWith(() => plugin.getModelVersion('m', '1'), 'NOT_FOUND');
      await rejectsWith(() => plugin.deleteRegisteredModel('m'), 'NOT_FOUND');
      const again = await plugin.createRegisteredModel('m');
      assert.deepEqual([again.tags, again.aliases], [{}, {}]);
      assert.equal((await plugin.createModelVersion('m', { source: 's3://bucket/2' })).version, '1');
    });

    it('setRegisteredModelTag sets and overwrites, deleteRegisteredModelTag removes', async () => {
      const { plugin } = subject;
      await plugin.createRegisteredModel('m');
      await plugin.setRegisteredModelTag('m', 'k', 1);
      await plugin.setRegisteredModelTag('m', 'k', true);
      assert.deepEqual((await plugin.getRegisteredModel('m')).tags, { k: 'true' });
      await plugin.deleteRegisteredModelTag('m', 'k');
      await plugin.deleteRegisteredModelTag('m', 'k');
      assert.deepEqual((await plugin.getRegisteredModel('m')).tags, {});
      await rejectsWith(() => plugin.setRegisteredModelTag('none', 'k', 1), 'NOT_FOUND');
      await rejectsWith(() => plugin.deleteRegisteredModelTag('none', 'k'), 'NOT_FOUND');
      await rejectsWith(() => plugin.setRegisteredModelTag('m', 'a//b', 1), 'INVALID_ARGUMENT');
    });

    it('an alias points to a version, moves, and is deleted', async () => {
      const { plugin } = subject;
      await plugin.createRegisteredModel('m');
      await plugin.createModelVersion('m', { source: 's3://bucket/1' });
      await plugin.createModelVersion('m', { source: 's3://bucket/2' });
      await plugin.setRegisteredModelAlias('m', 'champion', '1');
      await plugin.setRegisteredModelAlias('m', 'champion', '2');
      await plugin.setRegisteredModelAlias('m', 'best_so-far', '2');
      assert.deepEqual((await plugin.getRegisteredModel('m')).aliases, { champion: '2', 'best_so-far': '2' });
      assert.equal((await plugin.getModelVersionByAlias('m', 'champion'))?.version, '2');
      assert.deepEqual((await plugin.getModelVersion('m', '2')).aliases.sort(), ['best_so-far', 'champion']);
      assert.deepEqual((await plugin.getModelVersion('m', '1')).aliases, []);
      await plugin.deleteRegisteredModelAlias('m', 'champion');
      await plugin.deleteRegisteredModelAlias('m', 'champion');
      assert.equal(await plugin.getModelVersionByAlias('m', 'champion'), null);
    });

    it('a bad alias is INVALID_ARGUMENT, an unknown model or version NOT_FOUND', async () => {
      const { plugin } = subject;
      await plugin.createRegisteredModel('m');
      await plugin.createModelVersion('m', { source: 's3://bucket/1' });
      for (const alias of ['', 'latest', 'v1', 'V23', 'a b', 'a/b', 'x'.repeat(256)]) {
        await rejectsWith(() => plugin.setRegisteredModelAlias('m', alias, '1'), 'INVALID_ARGUMENT');
      }
      await rejectsWith(() => plugin.setRegisteredModelAlias('m', 'a', '7'), 'NOT_FOUND');
      await rejectsWith(() => plugin.setRegisteredModelAlias('m', 'a', 'one'), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.setRegisteredModelAlias('none', 'a', '1'), 'NOT_FOUND');
      await rejectsWith(() => plugin.deleteRegisteredModelAlias('none', 'a'), 'NOT_FOUND');
      await rejectsWith(() => plugin.getModelVersionByAlias('none', 'a'), 'NOT_FOUND');
    });
  });
}
