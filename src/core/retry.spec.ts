import { describe, expect, it } from 'vitest';
import { HubError } from './errors.js';
import { checkRetry, resolveRetry, retryDelay, retrySpan, type RetryPolicy } from './retry.js';

describe('retry policy', () => {
  it('does not retry by default', () => {
    expect(resolveRetry()).toEqual({ attempts: 1, delay: 1_000, factor: 2, maxDelay: 60_000, jitter: 0 });
    expect(resolveRetry({ attempts: 3, delay: 0 })).toMatchObject({ attempts: 3, delay: 0, factor: 2 });
  });

  it('waits longer each time, up to the longest wait', () => {
    const waits = [1, 2, 3, 4, 100].map((attempt) => retryDelay({ delay: 100, factor: 3, maxDelay: 1_000 }, attempt));
    expect(waits).toEqual([100, 300, 900, 1_000, 1_000]);
    expect(retryDelay({ delay: 100 }, 0)).toBe(100);
    expect(retryDelay({ delay: 50, factor: 1 }, 9)).toBe(50);
  });

  it('stays finite where the product is not', () => {
    expect(retryDelay({ delay: 1, factor: 10 }, 10_000)).toBe(60_000);
  });

  it('spans all its waits, at their longest', () => {
    expect(retrySpan({})).toBe(0);
    expect(retrySpan({ attempts: 5, delay: 100, factor: 2, maxDelay: 700, jitter: 1 })).toBe(100 + 200 + 400 + 700);
  });

  it('draws the share that jitter names', () => {
    const wait = (jitter: number, random: number) => retryDelay({ delay: 1_000, jitter }, 1, () => random);
    expect(wait(0, 0.9)).toBe(1_000);
    expect(wait(0.2, 0)).toBe(1_000);
    expect(wait(0.2, 0.5)).toBe(900);
    expect(wait(1, 0.999)).toBe(1);
  });
});

describe('checkRetry', () => {
  const source = { plugin: 'datastream', driver: 'local', operation: 'subscribe' };

  it('fills in the defaults', () => {
    expect(checkRetry(undefined, source)).toEqual(resolveRetry());
    expect(checkRetry({ attempts: 3, delay: 0, jitter: 1 }, source)).toMatchObject({
      attempts: 3,
      delay: 0,
      jitter: 1,
    });
  });

  it.each<[string, unknown]>([
    ['attempts', 0],
    ['attempts', 1.5],
    ['attempts', '3'],
    ['delay', -1],
    ['delay', Infinity],
    ['maxDelay', 2 ** 32],
    ['factor', 0.5],
    ['factor', Infinity],
    ['maxDelay', Number.NaN],
    ['jitter', 1.1],
    ['jitter', '0.5'],
  ])('refuses %s %s', (key, value) => {
    const policy = { [key]: value } as RetryPolicy;
    let thrown: unknown;
    try {
      checkRetry(policy, source);
    } catch (error) {
      thrown = error;
    }
    expect(HubError.is(thrown, 'INVALID_ARGUMENT')).toBe(true);
    expect(thrown).toMatchObject(source);
    expect(String(thrown)).toContain(`retry.${key} has to be`);
  });
});
