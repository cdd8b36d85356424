import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { HealthWatch, type HealthTruth } from './health-watch.js';

describe('a watch sees health', () => {
  it('that says up while something is away, and down while all is there and works', async () => {
    let healthy = true;
    let truth: HealthTruth = { away: 'results', working: true };
    const watch = new HealthWatch({ healthCheck: async () => ({ healthy, details: {} }) }, async () => truth, {
      period: 100,
    });
    await pause(500);
    [healthy, truth] = [false, { away: '', working: true }];
    await pause(500);
    await watch.stop();
    expect(watch.falseUp).toBeGreaterThan(200);
    expect(watch.falseDown).toBeGreaterThan(200);
  });

  it('that is right, also while workers are not back yet', async () => {
    let healthy = true;
    let truth: HealthTruth = { away: '', working: true };
    const watch = new HealthWatch({ healthCheck: async () => ({ healthy, details: {} }) }, async () => truth, {
      period: 100,
    });
    await pause(300);
    [healthy, truth] = [false, { away: 'broker', working: true }];
    await pause(300);
    truth = { away: '', working: false };
    await pause(300);
    await watch.stop();
    expect([watch.falseUp, watch.falseDown]).toEqual([0, 0]);
    expect(watch.samples.filter((sample) => !sample.healthy).length).toBeGreaterThan(2);
    await expect(watch.up(50)).rejects.toThrow('health did not say up within 50 ms');
  });
});
