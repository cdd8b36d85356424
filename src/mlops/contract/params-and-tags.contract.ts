import assert from 'node:assert/strict';
import { contractSubject, rejectsWith, type ContractHarness, type ContractRunner } from '../../core/contract.js';
import type { MLOpsPlugin } from '../mlops.plugin.js';

/** @internal Contract of params, tags and batches. */
export function paramsAndTagsContract(runner: ContractRunner, harness: ContractHarness<MLOpsPlugin>): void {
  const { describe, it } = runner;
  describe('params and tags', () => {
    const subject = contractSubject(runner, harness);
    let runId: string;
    runner.beforeEach(async () => {
      runId = (await subject.plugin.startRun(await subject.plugin.createExperiment('params'))).runId;
    });

    it('logParam and logParams store text', async () => {
      const { plugin } = subject;
      await plugin.logParam(runId, 'lr', 1e-7);
      await plugin.logParams(runId, { 'a/b.c-d:e f': true, empty: '', text: 'it\'s "ü" \n 漢字' });
      assert.deepEqual((await plugin.getRun(runId)).params, {
        lr: '1e-7',
        'a/b.c-d:e f': 'true',
        empty: '',
        text: 'it\'s "ü" \n 漢字',
      });
    });

    it('a param is written once: the same value again is fine, another is CONFLICT', async () => {
      const { plugin } = subject;
      await plugin.logParam(runId, 'k', 'a');
      await plugin.logParam(runId, 'k', 'a');
      await rejectsWith(() => plugin.logParam(runId, 'k', 'b'), 'CONFLICT');
      await rejectsWith(
        () => plugin.logBatch(runId, { params: { k: 'b' }, tags: { t: '1' }, metrics: [{ key: 'm', value: 1 }] }),
        'CONFLICT',
      );
      const run = await plugin.getRun(runId);
      assert.deepEqual([run.params, run.tags['t'], run.metrics], [{ k: 'a' }, undefined, {}]);
    });

    it('of 8 racing writers of a param exactly one wins, and its value is stored', async () => {
      const { plugin } = subject;
      for (let round = 0; round < 5; round += 1) {
        const key = `claim.${round}`;
        const results = await Promise.allSettled(
          Array.from({ length: 8 }, (_, writer) => plugin.logParam(runId, key, `writer ${writer}`)),
        );
        const winners = results.flatMap((result, writer) =>
          result.status === 'fulfilled' ? [`writer ${writer}`] : [],
        );
        assert.equal(winners.length, 1);
        for (const result of results) {
          if (result.status === 'rejected') await rejectsWith(() => Promise.reject(result.reason as Error), 'CONFLICT');
        }
        assert.equal((await plugin.getRun(runId)).params[key], winners[0]);
      }
    });

    it('setTag and setTags set and overwrite, deleteTag removes', async () => {
      const { plugin } = subject;
      await plugin.setTag(runId, 'a', 1);
      await plugin.setTags(runId, { a: 'two', b: false });
      const { tags } = await plugin.getRun(runId);
      assert.deepEqual([tags['a'], tags['b']], ['two', 'false']);
      await plugin.deleteTag(runId, 'a');
      assert.equal((await plugin.getRun(runId)).tags['a'], undefined);
      await rejectsWith(() => plugin.deleteTag(runId, 'a'), 'NOT_FOUND');
      await rejectsWith(() => plugin.deleteTag('f'.repeat(32), 'a'), 'NOT_FOUND');
    });

    it('writes of one run take effect in the order of the calls, awaited or not', async () => {
      const { plugin } = subject;
      const writes = Array.from({ length: 30 }, (_, i) => plugin.setTag(runId, 'last', i));
      assert.equal((await plugin.getRun(runId)).tags['last'], '29');
      await Promise.all(writes);
    });

    it('logBatch stores metrics, params and tags together; an empty one is fine', async () => {
      const { plugin } = subject;
      await plugin.logBatch(runId, {});
      await plugin.logBatch(runId, { metrics: [{ key: 'm', value: 1, step: 1 }], params: { p: 1 }, tags: { t: 1 } });
      const run = await plugin.getRun(runId);
      assert.deepEqual([run.metrics['m']?.value, run.params['p'], run.tags['t']], [1, '1', '1']);
    });

    it('a large batch is stored as a whole', async () => {
      const { plugin } = subject;
      const params = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`p${i}`, i]));
      const tags = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`t${i}`, i]));
      const metrics = Array.from({ length: 2_500 }, (_, step) => ({ key: 'm', value: step, step }));
      await plugin.logBatch(runId, { metrics, params, tags });
      const run = await plugin.getRun(runId);
      assert.equal(Object.keys(run.params).length, 250);
      assert.equal(Object.keys(run.tags).filter((key) => /^t\d/.test(key)).length, 250);
      assert.equal(run.metrics['m']?.step, 2_499);
    });

    it('too long values and bad keys are INVALID_ARGUMENT, not cut', async () => {
      const { plugin } = subject;
      await plugin.logBatch(runId, { params: { p: 'ü'.repeat(6_000) }, tags: { t: 'ü'.repeat(8_000) } });
      const run = await plugin.getRun(runId);
      assert.deepEqual([run.params['p']?.length, run.tags['t']?.length], [6_000, 8_000]);
      await rejectsWith(() => plugin.logParam(runId, 'long', 'x'.repeat(6_001)), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.setTag(runId, 'long', 'x'.repeat(8_001)), 'INVALID_ARGUMENT');
      for (const key of ['', '.', '..', 'a/../b', './a', 'a/', '/a', 'a//b', 'a#b', 'a\nb', 'k'.repeat(251)]) {
        await rejectsWith(() => plugin.logParam(runId, key, 1), 'INVALID_ARGUMENT');
        await rejectsWith(() => plugin.setTag(runId, key, 1), 'INVALID_ARGUMENT');
      }
      await rejectsWith(() => plugin.logParam(runId, 'object', {} as unknown as string), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.setTag(runId, 'null', null as unknown as string), 'INVALID_ARGUMENT');
    });

    it('text that backends lose is INVALID_ARGUMENT and costs nobody else anything', async () => {
      const { plugin } = subject;
      for (const text of ['\0', 'a\0b', '\ud83d', 'cut \ud83d off', '\ude00']) {
        const logged = plugin.logMetric(runId, 'beside', 1);
        const refused = rejectsWith(() => plugin.setTag(runId, 'tag', text), 'INVALID_ARGUMENT');
        await Promise.all([logged, refused, plugin.setTag(runId, 'whole', 'a 😀')]);
        await rejectsWith(() => plugin.logParam(runId, 'param', text), 'INVALID_ARGUMENT');
      }
      const { metrics, tags, params } = await plugin.getRun(runId);
      assert.deepEqual([metrics['beside']?.value, tags['whole'], tags['tag'], params], [1, 'a 😀', undefined, {}]);
    });

    it('keys that objects treat specially are ordinary keys', async () => {
      const { plugin } = subject;
      const special = Object.fromEntries([
        ['__proto__', 'x'],
        ['constructor', 'y'],
        ['toString', 'z'],
      ]);
      await plugin.logParams(runId, special);
      const { params } = await plugin.getRun(runId);
      assert.deepEqual(Object.entries(params).sort(), Object.entries(special).sort());
    });
  });
}
