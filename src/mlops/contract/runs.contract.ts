import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { contractSubject, rejectsWith, type ContractHarness, type ContractRunner } from '../../core/contract.js';
import type { MLOpsPlugin } from '../mlops.plugin.js';
import type { DatasetInput } from '../mlops.types.js';

/** @internal Contract of runs, their inputs, and `withRun`. */
export function runsContract(runner: ContractRunner, harness: ContractHarness<MLOpsPlugin>): void {
  const { describe, it } = runner;
  describe('runs', () => {
    const subject = contractSubject(runner, harness);

    it('startRun makes a RUNNING run with its name, params and tags', async () => {
      const { plugin } = subject;
      const experimentId = await plugin.createExperiment('e');
      const run = await plugin.startRun(experimentId, {
        runName: 'first',
        tags: { stage: 'dev', n: 1 },
        params: { lr: 0.1, deep: false },
        startTime: 1_700_000_000_000,
        userId: 'ada',
      });
      assert.equal(run.experimentId, experimentId);
      assert.equal(run.status, 'RUNNING');
      assert.equal(run.lifecycleStage, 'active');
      assert.equal(run.runName, 'first');
      assert.equal(run.tags['mlflow.runName'], 'first');
      assert.equal(run.tags['stage'], 'dev');
      assert.equal(run.tags['n'], '1');
      assert.deepEqual(run.params, { lr: '0.1', deep: 'false' });
      assert.equal(run.startTime, 1_700_000_000_000);
      assert.equal(run.endTime, null);
      assert.equal(run.userId, 'ada');
      assert.equal(run.tags['mlflow.user'], 'ada');
      assert.deepEqual(run.metrics, {});
      assert.deepEqual(run.inputs, []);
      assert.ok(run.artifactUri.includes(run.runId));
      assert.deepEqual(await plugin.getRun(run.runId), run);
    });

    it('a run without a name gets a readable one, and now as its start', async () => {
      const run = await subject.plugin.startRun(await subject.plugin.createExperiment('e'));
      assert.match(run.runName, /^[a-z]+-[a-z]+-\d+$/);
      assert.equal(run.tags['mlflow.runName'], run.runName);
      assert.ok(Math.abs(run.startTime - Date.now()) < 60_000);
    });

    it('a run can be nested in another', async () => {
      const { plugin } = subject;
      const experimentId = await plugin.createExperiment('e');
      const parent = await plugin.startRun(experimentId);
      const child = await plugin.startRun(experimentId, { parentRunId: parent.runId });
      assert.equal(child.tags['mlflow.parentRunId'], parent.runId);
    });

    it('runs do not see each other: each keeps its own metrics, params, tags and artifacts', async () => {
      const { plugin } = subject;
      const experimentId = await plugin.createExperiment('e');
      const names = ['one', 'two', 'three'];
      const ids: string[] = [];
      for (const runName of names) ids.push((await plugin.startRun(experimentId, { runName })).runId);
      await Promise.all(
        ids.map(async (runId, index) => {
          await plugin.logBatch(runId, {
            metrics: [{ key: 'm', value: index }],
            params: { p: index },
            tags: { t: index },
          });
          await plugin.logText(runId, `text ${index}`, 'a.txt');
        }),
      );
      for (const [index, runId] of ids.entries()) {
        const { runName, metrics, params, tags } = await plugin.getRun(runId);
        const text = (await plugin.readArtifactBytes(runId, 'a.txt')).toString();
        assert.deepEqual(
          [runName, metrics['m']?.value, params['p'], tags['t'], text],
          [names[index], index, String(index), String(index), `text ${index}`],
        );
      }
    });

    it('startRun checks its arguments: unknown experiment, bad param, two names', async () => {
      const { plugin } = subject;
      const experimentId = await plugin.createExperiment('e');
      await rejectsWith(() => plugin.startRun('987654321'), 'NOT_FOUND');
      await rejectsWith(() => plugin.startRun(experimentId, { params: { '/abs': 1 } }), 'INVALID_ARGUMENT');
      const names = { runName: 'a', tags: { 'mlflow.runName': 'b' } };
      await rejectsWith(() => plugin.startRun(experimentId, names), 'INVALID_ARGUMENT');
      for await (const run of plugin.searchRuns({ experimentIds: [experimentId] })) assert.fail(`stored ${run.runId}`);
    });

    it('endRun sets status and time, again overwrites them', async () => {
      const { plugin } = subject;
      const { runId } = await plugin.startRun(await plugin.createExperiment('e'));
      await plugin.endRun(runId);
      const ended = await plugin.getRun(runId);
      assert.equal(ended.status, 'FINISHED');
      assert.ok(Math.abs((ended.endTime ?? 0) - Date.now()) < 60_000);
      await plugin.endRun(runId, 'FAILED', 1_800_000_000_000);
      const again = await plugin.getRun(runId);
      assert.deepEqual([again.status, again.endTime], ['FAILED', 1_800_000_000_000]);
      await rejectsWith(() => plugin.endRun(runId, 'RUNNING' as 'FINISHED'), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.endRun('f'.repeat(32)), 'NOT_FOUND');
    });

    it('endRun comes after writes that were not awaited', async () => {
      const { plugin } = subject;
      const { runId } = await plugin.startRun(await plugin.createExperiment('e'));
      const writes = Array.from({ length: 50 }, (_, step) => plugin.logMetric(runId, 'm', step, { step }));
      const upload = plugin.logText(runId, 'late', 'late.txt');
      await plugin.endRun(runId);
      const run = await plugin.getRun(runId);
      assert.deepEqual([run.status, run.metrics['m']?.value], ['FINISHED', 49]);
      assert.equal((await plugin.readArtifactBytes(runId, 'late.txt')).toString(), 'late');
      await Promise.all([...writes, upload]);
    });

    it('renameRun changes name and tag; the tag mlflow.runName changes the name', async () => {
      const { plugin } = subject;
      const { runId } = await plugin.startRun(await plugin.createExperiment('e'));
      await plugin.renameRun(runId, 'second');
      const renamed = await plugin.getRun(runId);
      assert.deepEqual([renamed.runName, renamed.tags['mlflow.runName']], ['second', 'second']);
      await plugin.setTag(runId, 'mlflow.runName', 'third');
      assert.equal((await plugin.getRun(runId)).runName, 'third');
    });

    it('deleteRun and restoreRun can be repeated; a deleted run can be read but not written', async () => {
      const { plugin } = subject;
      const { runId } = await plugin.startRun(await plugin.createExperiment('e'));
      await plugin.logText(runId, 'x', 'x.txt');
      await plugin.deleteRun(runId);
      await plugin.deleteRun(runId);
      assert.equal((await plugin.getRun(runId)).lifecycleStage, 'deleted');
      await rejectsWith(() => plugin.logMetric(runId, 'm', 1), 'CONFLICT');
      await rejectsWith(() => plugin.logParam(runId, 'p', 1), 'CONFLICT');
      await rejectsWith(() => plugin.setTag(runId, 't', 1), 'CONFLICT');
      await rejectsWith(() => plugin.deleteTag(runId, 'mlflow.runName'), 'CONFLICT');
      await rejectsWith(() => plugin.endRun(runId), 'CONFLICT');
      await rejectsWith(() => plugin.renameRun(runId, 'x'), 'CONFLICT');
      await rejectsWith(() => plugin.logInputs(runId, [dataset('d')]), 'CONFLICT');
      await rejectsWith(() => plugin.logText(runId, 'y', 'y.txt'), 'CONFLICT');
      await plugin.restoreRun(runId);
      await plugin.restoreRun(runId);
      await plugin.logMetric(runId, 'm', 1);
      assert.equal((await plugin.getRun(runId)).lifecycleStage, 'active');
      await rejectsWith(() => plugin.deleteRun('f'.repeat(32)), 'NOT_FOUND');
      await rejectsWith(() => plugin.restoreRun('f'.repeat(32)), 'NOT_FOUND');
      await rejectsWith(() => plugin.getRun('f'.repeat(32)), 'NOT_FOUND');
    });

    it('logInputs notes data sets; the same name and digest twice is stored once', async () => {
      const { plugin } = subject;
      const { runId } = await plugin.startRun(await plugin.createExperiment('e'));
      const full = {
        ...dataset('weather'),
        schema: '{"a":1}',
        profile: '{"rows":3}',
        tags: { 'mlflow.data.context': 'training' },
      };
      await plugin.logInputs(runId, [full, dataset('labels')]);
      await plugin.logInputs(runId, [full]);
      const { inputs } = await plugin.getRun(runId);
      assert.deepEqual(inputs.map((input) => input.name).sort(), ['labels', 'weather']);
      assert.deepEqual(
        inputs.find((input) => input.name === 'weather'),
        full,
      );
      await rejectsWith(
        () => plugin.logInputs(runId, [{ ...dataset('x'), digest: 'd'.repeat(37) }]),
        'INVALID_ARGUMENT',
      );
    });

    it('withRun ends the run FINISHED and passes the result on', async () => {
      const { plugin } = subject;
      let id = '';
      const result = await plugin.withRun('with', { runName: 'w' }, async (run) => {
        id = run.runId;
        assert.equal(run.run.runName, 'w');
        await run.logMetric('m', 1, { step: 2 });
        await run.logMetrics({ a: 1, b: 2 });
        await run.logParams({ p: 1 });
        await run.setTags({ t: 'x' });
        await run.logBatch({ metrics: [{ key: 'c', value: 3 }] });
        await run.logText('text', 'a.txt');
        await run.logDict({ k: [1] }, 'a.json');
        return 42;
      });
      assert.equal(result, 42);
      const run = await plugin.getRun(id);
      assert.equal(run.status, 'FINISHED');
      assert.deepEqual(Object.keys(run.metrics).sort(), ['a', 'b', 'c', 'm']);
      assert.deepEqual([run.params['p'], run.tags['t']], ['1', 'x']);
      assert.deepEqual(
        (await plugin.listArtifacts(id)).map((file) => file.path),
        ['a.json', 'a.txt'],
      );
      assert.notEqual(await plugin.getExperimentByName('with'), null);
    });

    it('withRun hands out every logging method, bound to the run', async () => {
      const { plugin } = subject;
      const folder = await mkdtemp(join(tmpdir(), 'mlops-contract-'));
      try {
        await writeFile(join(folder, 'local.txt'), 'local');
        const id = await plugin.withRun('with', {}, async (run) => {
          await run.logParam('p', 1);
          await run.setTag('t', true);
          await run.logInputs([{ name: 'd', digest: '1', sourceType: 'local', source: 's' }]);
          await run.logArtifact(join(folder, 'local.txt'));
          await run.logArtifact(join(folder, 'local.txt'), 'one');
          await run.logArtifacts(folder, 'all');
          await run.logBytes(Buffer.from('bytes'), 'bytes.bin');
          await run.logStream(Readable.from(['str', 'eam']), 'stream.txt');
          return run.runId;
        });
        const { params, tags, inputs } = await plugin.getRun(id);
        assert.deepEqual([params['p'], tags['t'], inputs[0]?.name], ['1', 'true', 'd']);
        const read = async (path: string) => (await plugin.readArtifactBytes(id, path)).toString();
        const paths = ['local.txt', 'one/local.txt', 'all/local.txt', 'bytes.bin', 'stream.txt'];
        assert.deepEqual(await Promise.all(paths.map(read)), ['local', 'local', 'local', 'bytes', 'stream']);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });

    it('withRun ends the run FAILED when the work rejects, and KILLED when its signal fired', async () => {
      const { plugin } = subject;
      const ids: string[] = [];
      const boom = new Error('boom');
      await assert.rejects(
        plugin.withRun('with', {}, async ({ runId }) => {
          ids.push(runId);
          throw boom;
        }),
        boom,
      );
      const controller = new AbortController();
      await assert.rejects(
        plugin.withRun('with', { signal: controller.signal }, async ({ runId }) => {
          ids.push(runId);
          controller.abort(boom);
          controller.signal.throwIfAborted();
        }),
        boom,
      );
      const runs = await Promise.all(ids.map((id) => plugin.getRun(id)));
      assert.deepEqual(
        runs.map((run) => run.status),
        ['FAILED', 'KILLED'],
      );
    });
  });
}

function dataset(name: string): DatasetInput {
  return { name, digest: 'abc123', sourceType: 'local', source: '{"uri":"/data"}', tags: {} };
}
