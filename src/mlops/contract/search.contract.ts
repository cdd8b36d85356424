import assert from 'node:assert/strict';
import {
  collect,
  contractSubject,
  rejectsWith,
  type ContractHarness,
  type ContractRunner,
} from '../../core/contract.js';
import type { MLOpsPlugin } from '../mlops.plugin.js';
import type { SearchRunsOptions } from '../mlops.types.js';

/** @internal Contract of the four searches: filters, orders, pages, signals. */
export function searchContract(runner: ContractRunner, harness: ContractHarness<MLOpsPlugin>): void {
  const { describe, it } = runner;
  describe('search', () => {
    const subject = contractSubject(runner, harness);

    /** Three runs with accuracy 0.7, 0.8 and 0.9, of which the second failed. */
    async function threeRuns(): Promise<string> {
      const { plugin } = subject;
      const experimentId = await plugin.createExperiment('searched');
      for (const [index, name] of ['one', 'two', 'three'].entries()) {
        const { runId } = await plugin.startRun(experimentId, {
          runName: name,
          startTime: 1_000 + index,
          params: { lr: `0.${index + 1}`, 'with space': name },
          tags: { stage: index === 0 ? 'Prod' : 'dev', 'a.b': name },
        });
        await plugin.logMetric(runId, 'accuracy', (7 + index) / 10);
        if (index < 2) await plugin.logMetric(runId, 'val/loss-1', index);
        const context = { 'mlflow.data.context': index === 0 ? 'training' : 'test' };
        await plugin.logInputs(runId, [
          { name: `data ${name}`, digest: `d${index}`, sourceType: 'local', source: '{}', tags: context },
        ]);
        await plugin.endRun(runId, index === 1 ? 'FAILED' : 'FINISHED', 2_000 + index);
      }
      return experimentId;
    }
    const names = async (options: SearchRunsOptions) =>
      (await collect(subject.plugin.searchRuns(options))).map((run) => run.runName);

    it('searchRuns gives whole runs, latest start first', async () => {
      const { plugin } = subject;
      const experimentId = await threeRuns();
      const runs = await collect(plugin.searchRuns({ experimentIds: [experimentId] }));
      assert.deepEqual(
        runs.map((run) => run.runName),
        ['three', 'two', 'one'],
      );
      for (const run of runs) assert.deepEqual(run, await plugin.getRun(run.runId));
    });

    it('searchRuns filters by metrics, params, tags, attributes and data sets', async () => {
      const experimentIds = [await threeRuns()];
      const expected: [filter: string, names: string[]][] = [
        ['metrics.accuracy > 0.75', ['three', 'two']],
        ['metrics.accuracy >= 0.7 and metrics.accuracy < 0.9', ['two', 'one']],
        ['metrics.`val/loss-1` <= 0.0', ['one']],
        ['metrics."val/loss-1" != 0', ['two']],
        ["params.lr = '0.2'", ['two']],
        ["params.`with space` LIKE 't%'", ['three', 'two']],
        ['tags.stage = "dev" AND params.lr != "0.2"', ['three']],
        ["tags.`a.b` ILIKE 'T%'", ['three', 'two']],
        ["tags.stage LIKE 'p%'", []],
        ["tags.stage ILIKE 'p%'", ['one']],
        ["attributes.status = 'FAILED'", ['two']],
        ["attribute.run_name LIKE 't%'", ['three', 'two']],
        ["run_name != 'one'", ['three', 'two']],
        ['attributes.start_time > 1000 and attributes.end_time < 2002', ['two']],
        ["datasets.name = 'data one'", ['one']],
        ["dataset.context = 'test' and datasets.digest LIKE 'd%'", ['three', 'two']],
        ["tags.missing != 'x'", []],
      ];
      for (const [filter, found] of expected) assert.deepEqual(await names({ experimentIds, filter }), found, filter);
    });

    it('searchRuns orders by what orderBy says; what has no value comes last', async () => {
      const experimentIds = [await threeRuns()];
      const order = (...orderBy: string[]) => names({ experimentIds, orderBy });
      assert.deepEqual(await order('metrics.accuracy DESC'), ['three', 'two', 'one']);
      assert.deepEqual(await order('metrics.accuracy'), ['one', 'two', 'three']);
      assert.deepEqual(await order('metrics.`val/loss-1` DESC'), ['two', 'one', 'three']);
      assert.deepEqual(await order('metrics.`val/loss-1` ASC'), ['one', 'two', 'three']);
      assert.deepEqual(await order('attributes.start_time ASC'), ['one', 'two', 'three']);
      assert.deepEqual(await order('tags.stage ASC', 'params.lr DESC'), ['one', 'three', 'two']);
    });

    it('searchRuns looks at the stage and at the experiments that were named', async () => {
      const { plugin } = subject;
      const experimentId = await threeRuns();
      const other = await plugin.createExperiment('other');
      await plugin.startRun(other, { runName: 'four', startTime: 500 });
      const [three] = await collect(plugin.searchRuns({ experimentIds: [experimentId] }));
      await plugin.deleteRun(three?.runId ?? '');
      assert.deepEqual(await names({ experimentIds: [experimentId] }), ['two', 'one']);
      assert.deepEqual(await names({ experimentIds: [experimentId], viewType: 'DELETED_ONLY' }), ['three']);
      assert.deepEqual(await names({ experimentIds: [experimentId, other], viewType: 'ALL' }), [
        'three',
        'two',
        'one',
        'four',
      ]);
      await rejectsWith(() => plugin.searchRuns({ experimentIds: [] }), 'INVALID_ARGUMENT');
    });

    it('pages are hidden: small ones give everything once', async () => {
      const { plugin } = subject;
      const experimentId = await plugin.createExperiment('many');
      for (let i = 0; i < 25; i += 1) await plugin.startRun(experimentId, { runName: `r${i}`, startTime: i });
      const found = await names({ experimentIds: [experimentId], pageSize: 4, orderBy: ['attributes.start_time ASC'] });
      assert.deepEqual(
        found,
        Array.from({ length: 25 }, (_, i) => `r${i}`),
      );
      await rejectsWith(() => plugin.searchRuns({ experimentIds: [experimentId], pageSize: 0 }), 'INVALID_ARGUMENT');
    });

    it('a search can be left early and is aborted by its signal', async () => {
      const { plugin } = subject;
      const experimentIds = [await threeRuns()];
      for await (const run of plugin.searchRuns({ experimentIds, pageSize: 1 })) {
        assert.equal(run.runName, 'three');
        break;
      }
      await rejectsWith(() => plugin.searchRuns({ experimentIds, signal: AbortSignal.abort() }), 'ABORTED');
      const controller = new AbortController();
      await rejectsWith(async () => {
        for await (const run of plugin.searchRuns({ experimentIds, pageSize: 1, signal: controller.signal })) {
          assert.equal(run.runName, 'three');
          controller.abort();
        }
      }, 'ABORTED');
    });

    it('a filter or order that cannot be read is INVALID_ARGUMENT', async () => {
      const { plugin } = subject;
      const experimentIds = [await threeRuns()];
      const filters = [
        'metrics.accuracy >',
        'nonsense',
        'metrics.accuracy > 1 or metrics.accuracy < 2',
        "unknown.key = 'x'",
      ];
      const more = [
        "metrics.accuracy = 'text'",
        'params.lr = 0.1',
        "attributes.nothing = 'x'",
        "'; DROP TABLE runs; --",
      ];
      for (const filter of [...filters, ...more]) {
        await rejectsWith(() => plugin.searchRuns({ experimentIds, filter }), 'INVALID_ARGUMENT');
      }
      await rejectsWith(() => plugin.searchRuns({ experimentIds, orderBy: ['nothing.at.all UP'] }), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.searchExperiments({ filter: 'metrics.x > 1' }), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.searchRegisteredModels({ filter: 'name >' }), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.searchModelVersions({ filter: 'name >' }), 'INVALID_ARGUMENT');
    });

    it('searchExperiments filters by name and tags, orders, and looks at the stage', async () => {
      const { plugin } = subject;
      for (const name of ['alpha', 'beta', 'gamma'])
        await plugin.createExperiment(name, { tags: { team: name.slice(0, 1) } });
      const deleted = await plugin.createExperiment('alpine', { tags: { team: 'z' } });
      await plugin.deleteExperiment(deleted);
      const found = async (options: Parameters<MLOpsPlugin['searchExperiments']>[0]) =>
        (await collect(plugin.searchExperiments(options)))
          .map((experiment) => experiment.name)
          .filter((name) => name !== 'Default');
      assert.deepEqual((await found({})).sort(), ['alpha', 'beta', 'gamma']);
      assert.deepEqual(await found({ filter: "name LIKE 'al%'", viewType: 'ALL', orderBy: ['name ASC'] }), [
        'alpha',
        'alpine',
      ]);
      assert.deepEqual(await found({ filter: "tags.team = 'b'" }), ['beta']);
      assert.deepEqual(await found({ viewType: 'DELETED_ONLY' }), ['alpine']);
      assert.deepEqual(await found({ orderBy: ['name DESC'], pageSize: 1 }), ['gamma', 'beta', 'alpha']);
      assert.deepEqual(await found({ filter: 'creation_time > 1 and last_update_time > 1', orderBy: ['name'] }), [
        'alpha',
        'beta',
        'gamma',
      ]);
    });

    it('searchRegisteredModels filters by name and tags, by name in order', async () => {
      const { plugin } = subject;
      for (const name of ['b model', 'a model', 'c'])
        await plugin.createRegisteredModel(name, { tags: { kind: name } });
      const found = async (options: Parameters<MLOpsPlugin['searchRegisteredModels']>[0]) =>
        (await collect(plugin.searchRegisteredModels(options))).map((model) => model.name);
      assert.deepEqual(await found({}), ['a model', 'b model', 'c']);
      assert.deepEqual(await found({ filter: "name LIKE '%model'", orderBy: ['name DESC'], pageSize: 1 }), [
        'b model',
        'a model',
      ]);
      assert.deepEqual(await found({ filter: "tags.kind = 'c'" }), ['c']);
    });

    it('searchModelVersions filters by name, run, source and tags, latest version first', async () => {
      const { plugin } = subject;
      const { runId } = await plugin.startRun(await plugin.createExperiment('e'));
      for (const name of ['m', 'n']) await plugin.createRegisteredModel(name);
      await plugin.createModelVersion('m', { source: 's3://b/1' });
      await plugin.createModelVersion('m', { source: `runs:/${runId}/model`, runId, tags: { gate: 'passed' } });
      await plugin.createModelVersion('m', { source: 's3://b/3' });
      await plugin.createModelVersion('n', { source: 's3://b/4' });
      await plugin.deleteModelVersion('m', '3');
      const found = async (filter?: string) =>
        (await collect(plugin.searchModelVersions(filter === undefined ? {} : { filter }))).map(
          (v) => `${v.name}${v.version}`,
        );
      assert.deepEqual(await found(), ['m2', 'm1', 'n1']);
      assert.deepEqual(await found("name = 'm'"), ['m2', 'm1']);
      assert.deepEqual(await found(`run_id = '${runId}'`), ['m2']);
      assert.deepEqual(await found("source_path = 's3://b/4'"), ['n1']);
      assert.deepEqual(await found("name = 'm' and version_number = 1"), ['m1']);
      assert.deepEqual(await found("tags.gate = 'passed'"), ['m2']);
    });
  });
}
