import { spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { JsonValue } from '../../src/core/json.js';
import { Claims } from '../../src/experiment/claims.js';
import { ControlRun } from '../../src/experiment/control-run.js';
import type { Experiments } from '../../src/experiment/index.js';
import type { MLOpsPlugin } from '../../src/mlops/mlops.plugin.js';
import type { Run } from '../../src/mlops/mlops.types.js';
import { Stack, toy, toyTasks } from './stack.js';

const policy = { threshold: 0.75, window: 6, minSamples: 6, cooldown: 0 };

/** The plugin as seen over a network: each call takes a while on its way there and on its way back. */
function distant(mlops: MLOpsPlugin): MLOpsPlugin {
  return new Proxy(mlops, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key);
      if (typeof member !== 'function') return member;
      const call = member.bind(target) as (...args: unknown[]) => unknown;
      if (/^search|History$/.test(String(key))) {
        return async function* search(...args: unknown[]) {
          await sleep(Math.random() * 5);
          const found: unknown[] = [];
          for await (const item of call(...args) as AsyncIterable<unknown>) found.push(item);
          await sleep(Math.random() * 5);
          yield* found;
        };
      }
      return async (...args: unknown[]) => {
        await sleep(Math.random() * 5);
        const result = await call(...args);
        await sleep(Math.random() * 5);
        return result;
      };
    },
  });
}

describe('several hubs on one backend', () => {
  let stack: Stack;
  afterEach(async () => stack.close());

  async function runs(filter: string): Promise<Run[]> {
    const experiment = await stack.mlops.getExperimentByName('toy');
    const found: Run[] = [];
    if (experiment === null) return found;
    const { experimentId } = experiment;
    for await (const run of stack.mlops.searchRuns({ experimentIds: [experimentId], filter })) found.push(run);
    return found;
  }

  it('agree on one control run, however their calls interleave', async () => {
    stack = await Stack.open();
    for (let round = 0; round < 15; round++) {
      const experimentId = await stack.mlops.createExperiment(`race-${round}`);
      const chosen = await Promise.all(
        Array.from({ length: 5 }, async () => {
          const mlops = distant(stack.mlops);
          await sleep(Math.random() * 20);
          return new ControlRun(mlops, new Claims(mlops)).find(experimentId);
        }),
      );
      expect(new Set(chosen).size, `round ${round}`).toBe(1);
      const left: Run[] = [];
      for await (const run of stack.mlops.searchRuns({ experimentIds: [experimentId] })) left.push(run);
      expect(left.map(({ runId, tags }) => [runId, tags['hub.kind']])).toEqual([[chosen[0], 'control']]);
    }
  });

  it('choose another control run than a hub that died while it chose', async () => {
    stack = await Stack.open();
    const experimentId = await stack.mlops.createExperiment('toy');
    const { pid } = spawnSync(process.execPath, ['--version']);
    const dead = JSON.stringify({ hub: 'dead', host: hostname(), pid, at: Date.now() });
    await stack.mlops.startRun(experimentId, {
      tags: { 'hub.kind': 'control-candidate' },
      params: { 'hub.claim.control': dead },
    });
    // Dead before it could even claim anything.
    await stack.mlops.startRun(experimentId, { tags: { 'hub.kind': 'control-candidate' } });
    const chosen = await new ControlRun(stack.mlops, new Claims(stack.mlops)).find(experimentId);
    const left = async () => (await runs("tags.`hub.kind` LIKE 'control%'")).map(({ runId }) => runId);
    expect(await left()).toEqual([chosen]);
    // Dead after it had chosen, and before it could remove the others.
    await stack.mlops.startRun(experimentId, { tags: { 'hub.kind': 'control-candidate' } });
    expect(await new ControlRun(stack.mlops, new Claims(stack.mlops)).find(experimentId)).toBe(chosen);
    expect(await left()).toEqual([chosen]);
  });

  it('judge by the feedback of all of them, and begin one retrain', async () => {
    stack = await Stack.open();
    const hubs = [stack.hub(toy({ policy })), stack.hub(toy({ policy })), stack.hub(toy({ policy }))];
    const [first] = hubs as [Experiments];
    await (
      await first.train('toy', { at: 0 })
    ).done;
    // Two each: none of them has enough items of its own.
    const item = (at: number) => ({ predicted: 'sun', actual: at % 3 === 0 ? 'sun' : 'rain', at });
    const results = [];
    for (let at = 1; at <= 6; at++) results.push(await (hubs[at % 3] as Experiments).feedback('toy', [item(at)]));
    expect(results.map(({ samples }) => samples)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(results.at(-1)).toMatchObject({ value: 1 / 3 });
    expect(results.filter(({ training }) => training !== null)).toHaveLength(1);
    await results.at(-1)?.training?.done;
    for (const hub of hubs) {
      expect((await hub.status('toy')).rolling).toEqual({ metric: 'accuracy', value: 1 / 3, samples: 6 });
    }
  });

  it('begin one retrain for the same fall of the metric, also without a cooldown', async () => {
    let retrained = 0;
    stack = await Stack.open({
      train: (task) => {
        retrained += 1;
        // Each training is better than the one before, so that each is promoted.
        return toyTasks.train({ ...task, kwargs: { ...task.kwargs, data: { bias: 1, quality: retrained / 100 } } });
      },
    });
    const hubs = Array.from({ length: 4 }, () => stack.hub(toy({ policy }), {}, distant(stack.mlops)));
    await (
      await (hubs[0] as Experiments).train('toy', { at: 0 })
    ).done;
    const bad = { predicted: 'sun', actual: 'rain', version: '1' };
    const results = await Promise.all(
      hubs.map((hub, index) =>
        hub.feedback(
          'toy',
          Array.from({ length: 6 }, (_, at) => ({ ...bad, at: at + index })),
        ),
      ),
    );
    const begun = results.flatMap(({ training }) => (training === null ? [] : [training]));
    expect(new Set(begun.map(({ runId }) => runId)).size).toBe(1);
    for (const { done } of begun) await done;
    expect(retrained).toBe(2);
  });

  it('take over a training whose hub died before its task was submitted', async () => {
    stack = await Stack.open();
    const hub = stack.hub();
    await hub.startConsumers();
    const experimentId = await stack.mlops.ensureExperiment('toy');
    const { pid } = spawnSync(process.execPath, ['--version']);
    const request = { trigger: { id: 'lost', reason: 'manual', at: 7 }, params: {}, data: { bias: 2, quality: 1 } };
    const { runId } = await stack.mlops.startRun(experimentId, {
      params: { 'hub.claim.follow': JSON.stringify({ hub: 'dead', host: hostname(), pid, at: Date.now() }) },
      tags: {
        'hub.kind': 'training',
        'hub.trigger_id': 'lost',
        'hub.trigger_at': 7,
        'hub.task_id': 'not-yet-submitted',
        'hub.deadline': Date.now() + 60_000,
        'hub.request': JSON.stringify(request),
      },
    });
    // The same command again gives the same training, and this hub goes on with it.
    const training = await hub.train('toy', { triggerId: 'lost' });
    expect(training.runId).toBe(runId);
    expect(await training.done).toMatchObject({ status: 'FINISHED', version: '1' });
    expect((await hub.predict('toy', [1])).predictions).toEqual([3]);
  });

  it('leave a training to the hub that follows it, until that one stops', async () => {
    let open: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    stack = await Stack.open({
      train: async (task) => {
        await gate;
        return toyTasks.train(task);
      },
    });
    const [first, second] = [stack.hub(), stack.hub()];
    const training = await first.train('toy');
    const [watched] = await second.recover();
    const holder = async () => {
      const { params } = await stack.mlops.getRun(training.runId);
      return Object.keys(params).filter((key) => key.startsWith('hub.claim.follow'));
    };
    await sleep(1_500);
    expect(await holder()).toEqual(['hub.claim.follow']);
    await first.stop();
    open?.();
    expect(await watched?.done).toMatchObject({ status: 'FINISHED', version: '1' });
    expect(await holder()).toEqual(['hub.claim.follow', 'hub.claim.follow.2']);
  });
});

describe('large rows and many versions', () => {
  let stack: Stack;
  afterEach(async () => stack.close());

  async function trained(changes: object, predict: (typeof toyTasks)['predict']): Promise<Experiments> {
    stack = await Stack.open({ predict });
    const hub = stack.hub(toy(changes));
    await (
      await hub.train('toy')
    ).done;
    return hub;
  }

  const tasks = { train: 'toy.train', predict: 'toy.predict', evaluate: 'toy.evaluate' };

  it('go by reference, and nothing is left of them', async () => {
    const seen: JsonValue[] = [];
    const hub = await trained({ tasks: { ...tasks, maxInlineBytes: 20 } }, async ({ kwargs }) => {
      const { rows, rowsUri, resultDir } = kwargs as { rows: number[]; rowsUri?: string; resultDir?: string };
      seen.push(rowsUri ?? null);
      if (rowsUri === undefined) return rows.map((row) => row * 2);
      expect(rows).toEqual([]);
      const [, runId = '', path = ''] = /^runs:\/([^/]+)\/(.+)$/.exec(rowsUri) ?? [];
      const sent = JSON.parse((await stack.mlops.readArtifactBytes(runId, path)).toString()) as number[];
      await stack.mlops.logDict(runId, { predictions: sent.map((row) => row * 2) }, `${resultDir}/predictions.json`);
      return { resultUri: `runs:/${runId}/${resultDir}/predictions.json` };
    });
    expect((await hub.predict('toy', [1, 2])).predictions).toEqual([2, 4]);
    const many = Array.from({ length: 50 }, (_, index) => index);
    expect((await hub.predict('toy', many)).predictions).toEqual(many.map((row) => row * 2));
    expect(seen).toEqual([null, expect.stringMatching(/^runs:\//)]);
    const runId = /^runs:\/([^/]+)/.exec(String(seen[1]))?.[1] ?? '';
    expect(await stack.mlops.listArtifacts(runId, 'hub/predictions')).toEqual([]);
  });

  it('refuses a result that names another place', async () => {
    const hub = await trained({ tasks: { ...tasks, maxInlineBytes: 0 } }, () => ({ resultUri: 'runs:/other/secret' }));
    await expect(hub.predict('toy', [1])).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
  });

  it('leaves the files of models to workers that fetch them', async () => {
    const hub = await trained({ tasks: { ...tasks, modelsBy: 'uri' } }, ({ kwargs }) => [kwargs['model'] ?? null]);
    expect((await hub.predict('toy', [1])).predictions).toEqual([
      expect.objectContaining({ uri: 'models:/toy/1', path: null }),
    ]);
  });

  it('keeps the files of the versions that were used last', async () => {
    const hub = await trained({ promotion: { mode: 'manual' } }, toyTasks.predict);
    for (let version = 2; version <= 11; version++) {
      await (
        await hub.train('toy', { data: { bias: version, quality: 1 } })
      ).done;
    }
    for (let version = 1; version <= 11; version++) {
      await hub.predict('toy', [0], { version: String(version) });
      // The first one is asked for all the time.
      await hub.predict('toy', [0], { version: '1' });
    }
    const kept = await readdir(join(stack.dataDir, 'work', 'models', 'toy'));
    const numbers = kept.map((name) => Number(name.split('-')[0])).sort((a, b) => a - b);
    expect(numbers).toEqual([1, 5, 6, 7, 8, 9, 10, 11]);
    expect((await hub.predict('toy', [0], { version: '2' })).predictions).toEqual([2]);
  });
});
