import { mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { CHAMPION } from '../../src/experiment/index.js';
import type { Metric } from '../../src/mlops/mlops.types.js';
import { Stack, toy, toyTasks } from './stack.js';

describe('training', () => {
  let stack: Stack;
  afterEach(async () => stack.close());

  it('records progress once, the model, the params, and promotes the first version', async () => {
    stack = await Stack.open();
    const hub = stack.hub();
    const { runId, done } = await hub.train('toy', { params: { trees: 5 }, at: 1_000 });
    expect(await done).toMatchObject({ status: 'FINISHED', version: '1', decision: { promoted: true }, error: null });

    const run = await stack.mlops.getRun(runId);
    expect(run).toMatchObject({ status: 'FINISHED', params: { trees: '5', chosen: 'yes' } });
    expect(run.metrics['trained']).toMatchObject({ value: 1, step: 2 });
    const history: Metric[] = [];
    for await (const point of stack.mlops.getMetricHistory(runId, 'loss')) history.push(point);
    expect(history.at(-1)).toMatchObject({ step: 2, value: 0.25 });
    expect(new Set(history.map(({ step }) => step)).size).toBe(history.length);

    const champion = await stack.mlops.getModelVersionByAlias('toy', CHAMPION);
    expect(champion).toMatchObject({ version: '1', runId, source: `runs:/${runId}/model` });
    expect(champion?.tags).toMatchObject({
      'hub.decision': 'promoted',
      'hub.promoted_by': expect.stringMatching(/^manual:/),
    });
    expect(await hub.status('toy')).toMatchObject({
      champion: { version: '1' },
      inFlight: null,
      lastTraining: { runId },
    });
  });

  it('promotes the better, keeps the champion on a tie or worse, and rolls back', async () => {
    stack = await Stack.open();
    const hub = stack.hub();
    const decide = async (quality: number) => {
      const outcome = await (await hub.train('toy', { data: { bias: quality, quality } })).done;
      return outcome.decision;
    };
    await decide(0.5);
    expect(await decide(0.7)).toMatchObject({ promoted: true, challengerScore: 0.7, championScore: 0.5 });
    expect(await decide(0.7)).toMatchObject({ promoted: false, reason: expect.stringContaining('tie') as string });
    expect(await decide(0.6)).toMatchObject({ promoted: false, challengerScore: 0.6, championScore: 0.7 });
    expect(await hub.predict('toy', [1])).toMatchObject({ model: { version: '2' }, predictions: [1.7] });
    expect(await hub.rollback('toy')).toEqual({ name: 'toy', version: '1' });
    expect(await hub.predict('toy', [1])).toMatchObject({ model: { version: '1' }, predictions: [1.5] });
    await expect(hub.rollback('toy')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await hub.predict('toy', [1], { version: '3' })).toMatchObject({ predictions: [1.7] });
  });

  it('keeps the champion when the evaluation fails, and says why', async () => {
    stack = await Stack.open({
      evaluate: () => {
        throw new Error('no holdout today');
      },
    });
    const hub = stack.hub();
    await (
      await hub.train('toy')
    ).done;
    const { status, decision } = await (await hub.train('toy')).done;
    expect(status).toBe('FINISHED');
    expect(decision).toMatchObject({ promoted: false, reason: expect.stringContaining('no holdout today') as string });
  });

  it('refuses a second training in flight on this and another hub, and cancels', async () => {
    stack = await Stack.open({
      train: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', reject)),
    });
    const [hub, other] = [stack.hub(), stack.hub()];
    const training = await hub.train('toy', { triggerId: 'first' });
    await expect(hub.train('toy')).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(other.train('toy')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await hub.train('toy', { triggerId: 'first' })).runId).toBe(training.runId);
    expect(['cancelled', 'requested']).toContain(await hub.cancel('toy'));
    expect(await training.done).toMatchObject({ status: 'KILLED', version: null });
    expect(await hub.cancel('toy')).toBe('finished');
  });

  it('begins one training when two hubs begin at the same moment', async () => {
    stack = await Stack.open();
    const hubs = [stack.hub(), stack.hub(), stack.hub()];
    await (
      await (hubs[0] as (typeof hubs)[0]).train('toy')
    ).done;
    const began = await Promise.allSettled(hubs.map((hub) => hub.train('toy')));
    expect(began.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    for (const result of began) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'CONFLICT' });
      else await result.value.done;
    }
  });

  it.each([
    ['throws', () => Promise.reject(new TypeError('broken data')), 'broken data'],
    ['returns no model', () => ({ metrics: { a: 1 } }), 'has no "model"'],
    ['names a file that is not there', () => ({ model: { path: 'nowhere.bin' } }), 'not in its outputDir'],
    ['names a file elsewhere', () => ({ model: { path: '/etc/hostname' } }), 'outside its outputDir'],
    ['says it stored a model and did not', () => ({ model: { logged: true } }), 'no artifacts'],
  ])('ends FAILED when the task %s', async (_what, train, message) => {
    stack = await Stack.open({ train });
    const outcome = await (await stack.hub().train('toy')).done;
    expect(outcome).toMatchObject({
      status: 'FAILED',
      version: null,
      error: expect.stringContaining(message) as string,
    });
    expect((await stack.mlops.getRun(outcome.runId)).status).toBe('FAILED');
  });

  it('refuses a link that leads out of the output folder', async () => {
    stack = await Stack.open({
      train: async ({ kwargs }) => {
        await symlink('/etc', join(String(kwargs['outputDir']), 'model'));
        return { model: { path: 'model' } };
      },
    });
    expect(await (await stack.hub().train('toy')).done).toMatchObject({ status: 'FAILED' });
  });

  it('stores a model that comes as a folder', async () => {
    stack = await Stack.open({
      train: async ({ kwargs }) => {
        const folder = join(String(kwargs['outputDir']), 'out');
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, 'model.json'), JSON.stringify({ bias: 3, quality: 1 }));
        return { model: { path: 'out' } };
      },
    });
    const hub = stack.hub();
    await (
      await hub.train('toy')
    ).done;
    expect((await hub.predict('toy', [1, 2])).predictions).toEqual([4, 5]);
  });

  it.each(['', 'a b', 'x'.repeat(129), 'naïve', "a'b"])('refuses the trigger id %j', async (triggerId) => {
    stack = await Stack.open();
    const hub = stack.hub();
    await expect(hub.train('toy', { triggerId })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect((await hub.status('toy')).inFlight).toBeNull();
  });

  it('does not score for the mode first-only, although there is an evaluate task', async () => {
    let evaluated = 0;
    stack = await Stack.open({
      evaluate: (task) => {
        evaluated += 1;
        return toyTasks.evaluate(task);
      },
    });
    const hub = stack.hub(toy({ promotion: { mode: 'first-only' } }));
    await (
      await hub.train('toy')
    ).done;
    const { decision } = await (await hub.train('toy')).done;
    expect(decision).toMatchObject({ promoted: false, challengerScore: null });
    expect(decision?.reason).toContain('only the first version');
    expect(evaluated).toBe(0);
  });

  it('makes its work folder for this user alone', async () => {
    stack = await Stack.open();
    await (
      await stack.hub().train('toy')
    ).done;
    expect((await stat(join(stack.dataDir, 'work'))).mode & 0o777).toBe(0o700);
  });

  it('ends FAILED at its deadline when nobody runs the task', async () => {
    stack = await Stack.open();
    const hub = stack.hub(
      toy({ tasks: { train: 'nobody.has.this', predict: 'toy.predict' }, timeouts: { train: 300 } }),
    );
    const outcome = await (await hub.train('toy')).done;
    // The task expires at the same moment as the wait for it; either may be seen first.
    expect(['FAILED', 'KILLED']).toContain(outcome.status);
    expect(await hub.train('toy')).toHaveProperty('runId');
  });

  it('answers unknown, untrained, disabled and doubled experiments', async () => {
    stack = await Stack.open();
    const hub = stack.hub();
    await expect(hub.train('other')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(hub.predict('other', [1])).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(hub.predict('toy', [1])).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(hub.retrain('toy')).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(hub.feedback('toy', [{ value: 1 }])).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(hub.rollback('toy')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(() => hub.define(toy())).toThrow(expect.objectContaining({ code: 'ALREADY_EXISTS' }));
    hub.define(toy({ name: 'off', enabled: false }));
    await expect(hub.train('off')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(hub.list()).toEqual(['toy', 'off']);
    expect(await hub.status('toy')).toMatchObject({ champion: null, inFlight: null, rolling: null, consumer: 'off' });
  });
});
