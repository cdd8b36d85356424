import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { Claims } from '../../src/experiment/claims.js';
import { ExperimentStore } from '../../src/experiment/experiment-store.js';
import { Stack, toyTasks } from './stack.js';

describe('recovery', () => {
  let stack: Stack;
  afterEach(async () => stack.close());

  async function versions(): Promise<string[]> {
    const found: string[] = [];
    for await (const { version } of stack.mlops.searchModelVersions({ filter: "name = 'toy'" })) found.push(version);
    return found;
  }

  it('goes on with a training whose hub stopped, after a restart of everything', async () => {
    // The first process never gets to the end of the task; the restarted task queue runs it again.
    stack = await Stack.open({ train: () => new Promise(() => undefined) });
    const training = await stack.hub().train('toy', { at: 5 });
    await expect.poll(async () => (await stack.tasks.getStatus(training.taskId)).state).toBe('STARTED');
    await stack.closePlugins();
    expect(await training.done).toMatchObject({ status: 'RUNNING' });

    await stack.openPlugins();
    const [found, ...more] = await stack.hub().recover();
    expect(more).toEqual([]);
    expect(found).toMatchObject({ runId: training.runId, trigger: { reason: 'manual', at: 5 } });
    expect(await found?.done).toMatchObject({ status: 'FINISHED', version: '1', decision: { promoted: true } });
    expect(await versions()).toEqual(['1']);
  });

  it('registers one version when several hubs finish the same training', async () => {
    let finish: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    stack = await Stack.open({
      train: async (task) => {
        await gate;
        return toyTasks.train(task);
      },
    });
    const training = await stack.hub().train('toy');
    const others = (await Promise.all([stack.hub().recover(), stack.hub().recover()])).flat();
    expect(others.map(({ runId }) => runId)).toEqual([training.runId, training.runId]);
    finish?.();
    const outcomes = await Promise.all([training, ...others].map(({ done }) => done));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'FINISHED', version: '1' });
    expect(await versions()).toEqual(['1']);
  });

  it('finishes what finished while no hub was there', async () => {
    stack = await Stack.open();
    const first = stack.hub();
    const training = await first.train('toy');
    await first.stop();
    await stack.tasks.getResult(training.taskId);
    const before = await training.done;
    for (const { done } of await stack.hub().recover()) await done;
    expect((await stack.mlops.getRun(training.runId)).status).toBe('FINISHED');
    expect(await versions()).toEqual(['1']);
    expect(['RUNNING', 'FINISHED']).toContain(before.status);
  });

  it('ends a training FAILED whose task is lost', async () => {
    stack = await Stack.open();
    const experimentId = await stack.mlops.ensureExperiment('toy');
    const { runId } = await stack.mlops.startRun(experimentId, {
      tags: { 'hub.kind': 'training', 'hub.task_id': 'never-submitted', 'hub.deadline': Date.now() + 60_000 },
    });
    const hub = stack.hub();
    await expect(hub.train('toy')).rejects.toMatchObject({ code: 'CONFLICT' });
    const [lost] = await hub.recover();
    expect(await lost?.done).toMatchObject({ runId, status: 'FAILED' });
    expect(await (await hub.train('toy')).done).toMatchObject({ status: 'FINISHED' });
  });

  it('does not let a run that nobody follows block the experiment past its deadline', async () => {
    stack = await Stack.open();
    const experimentId = await stack.mlops.ensureExperiment('toy');
    const { runId } = await stack.mlops.startRun(experimentId, {
      tags: { 'hub.kind': 'training', 'hub.task_id': 'gone', 'hub.deadline': Date.now() - 3_600_000 },
    });
    expect(await (await stack.hub().train('toy')).done).toMatchObject({ status: 'FINISHED' });
    expect((await stack.mlops.getRun(runId)).status).toBe('FAILED');
  });

  it('takes over at once from a hub whose process is dead', async () => {
    stack = await Stack.open();
    const claims = new Claims(stack.mlops);
    const runId = await new ExperimentStore(stack.mlops, claims).controlRun('toy');
    const { pid } = spawnSync(process.execPath, ['--version']);
    const dead = { hub: 'dead', host: hostname(), pid, at: Date.now() };
    await stack.mlops.logParam(runId, 'hub.claim.work', JSON.stringify(dead));
    await stack.mlops.logParam(runId, 'hub.claim.other', JSON.stringify({ ...dead, pid: process.pid }));
    expect(await claims.claim(runId, 'work', 600_000)).toBe(true);
    expect(await claims.claim(runId, 'other', 600_000)).toBe(false);
  });

  it('gives a claim to one, and to another when the lease is over', async () => {
    stack = await Stack.open();
    const runId = await new ExperimentStore(stack.mlops, new Claims(stack.mlops)).controlRun('toy');
    let now = 1_000;
    const rivals = Array.from({ length: 8 }, () => new Claims(stack.mlops, () => now));
    const claim = () => Promise.all(rivals.map((rival) => rival.claim(runId, 'work', 500)));
    const first = await claim();
    expect(first.filter(Boolean)).toHaveLength(1);
    expect(await claim()).toEqual(first);
    now = 1_600;
    const rest = rivals.filter((_, index) => first[index] === false);
    const second = await Promise.all(rest.map((rival) => rival.claim(runId, 'work', 500)));
    expect(second.filter(Boolean)).toHaveLength(1);
  });
});
