import { afterEach, describe, expect, it } from 'vitest';
import type { Experiments } from '../../src/experiment/index.js';
import { Stack, toy } from './stack.js';

const policy = { threshold: 0.75, window: 4, minSamples: 4, cooldown: 100 };
const good = (at: number) => ({ predicted: 'sun', actual: 'sun', at });
const bad = (at: number) => ({ predicted: 'sun', actual: 'rain', at });

describe('feedback and the retrain policy', () => {
  let stack: Stack;
  afterEach(async () => stack.close());

  async function trained(changes = {}): Promise<Experiments> {
    stack = await Stack.open();
    const hub = stack.hub(toy({ policy, ...changes }));
    await (
      await hub.train('toy', { at: 0 })
    ).done;
    return hub;
  }

  it('begins one retrain when the rolling metric is worse than the threshold', async () => {
    const hub = await trained();
    expect(await hub.feedback('toy', [good(101), good(102), bad(103)])).toMatchObject({ samples: 3, training: null });
    const { training, value } = await hub.feedback('toy', [bad(104)]);
    expect(value).toBe(0.5);
    expect(training?.trigger).toMatchObject({ reason: 'policy', at: 104 });
    expect(await training?.done).toMatchObject({ status: 'FINISHED', decision: { promoted: false } });
    // Refused: still bad, but within the cooldown; afterwards it may try again.
    expect((await hub.feedback('toy', [bad(105), bad(203)])).training).toBeNull();
    const again = (await hub.feedback('toy', [bad(204)])).training;
    expect(again).not.toBeNull();
    await again?.done;
  });

  it('does not begin one while the metric is good enough, or in the cooldown after a manual training', async () => {
    const hub = await trained();
    expect((await hub.feedback('toy', [bad(1), bad(2), bad(3), bad(4)])).training).toBeNull();
    expect((await hub.feedback('toy', [good(5), good(6), good(7), good(8)])).training).toBeNull();
    // Three of four right is the threshold itself, and only worse than that asks for a retrain.
    expect(await hub.feedback('toy', [bad(201)])).toMatchObject({ value: 0.75, training: null });
  });

  it('judges a promoted model by its own predictions alone', async () => {
    const hub = await trained();
    await hub.feedback('toy', [bad(1), bad(2), bad(3)]);
    await (
      await hub.train('toy', { data: { bias: 0, quality: 0.9 }, at: 4 })
    ).done;
    expect(await hub.feedback('toy', [{ ...bad(200), version: '1' }])).toMatchObject({
      samples: 0,
      value: null,
      training: null,
    });
    expect(await hub.feedback('toy', [good(201)])).toMatchObject({ samples: 1, value: 1 });
  });

  it('keeps to the loop guard', async () => {
    const hub = await trained({ policy: { ...policy, cooldown: 0, maxRetrains: { count: 1, per: 1_000 } } });
    const first = (await hub.feedback('toy', [bad(1), bad(2), bad(3), bad(4)])).training;
    expect(first).not.toBeNull();
    await first?.done;
    expect((await hub.feedback('toy', [bad(500)])).training).toBeNull();
    const later = (await hub.feedback('toy', [bad(1_100)])).training;
    expect(later).not.toBeNull();
    await later?.done;
  });

  it('takes errors as well, where lower is better', async () => {
    const hub = await trained({ direction: 'min', policy: { ...policy, threshold: 2 } });
    const errors = [1, 1, 1, 1].map((value, index) => ({ value, at: 200 + index }));
    expect((await hub.feedback('toy', errors)).training).toBeNull();
    const { training } = await hub.feedback('toy', [{ value: 9, at: 300 }]);
    expect(training).not.toBeNull();
    await training?.done;
  });

  it('rebuilds the window after a restart', async () => {
    const hub = await trained();
    await hub.feedback('toy', [good(201), good(202), bad(203)]);
    const second = stack.hub(toy({ policy }));
    expect((await second.status('toy')).rolling).toEqual({ metric: 'accuracy', samples: 3, value: 2 / 3 });
    const { training } = await second.feedback('toy', [bad(204)]);
    expect(training).not.toBeNull();
    await training?.done;
  });

  it('refuses an item that cannot be judged, and records nothing of the call', async () => {
    const hub = await trained();
    await expect(hub.feedback('toy', [good(1), { predicted: 'sun' }])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect((await hub.status('toy')).rolling).toMatchObject({ samples: 0 });
  });

  it('retrains by schedule when the last training is old enough', async () => {
    stack = await Stack.open();
    const began = Date.now();
    let offset = 0;
    const hub = stack.hub(toy({ schedule: { every: 60_000 } }), { now: () => Date.now() + offset });
    await hub.startConsumers();
    await (
      await hub.train('toy')
    ).done;
    offset = 61_000;
    await expect
      .poll(async () => (await hub.status('toy')).lastTraining?.trigger.reason, { timeout: 10_000 })
      .toBe('schedule');
    expect((await hub.status('toy')).lastTraining?.trigger.at).toBeGreaterThan(began + 60_000);
  });
});
