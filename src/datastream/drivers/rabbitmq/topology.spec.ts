import { describe, expect, it } from 'vitest';
import { MAX_DURATION_MS } from '../../datastream.validation.js';
import {
  dataQueueOptions,
  deadQueueOptions,
  delayQueue,
  delayQueueOptions,
  delayStep,
  delaySteps,
} from './topology.js';

const NO_LIMITS = { maxLength: null, messageTtl: null, deliveryLimit: 20 };

describe('delay steps', () => {
  it('are whole, ascending, bounded in number, and end at the longest delay', () => {
    const steps = delaySteps();
    expect(steps.every((step, index) => Number.isInteger(step) && step > (steps[index - 1] ?? 0))).toBe(true);
    expect(steps.slice(0, 14)).toEqual([1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40]);
    expect(steps.at(-1)).toBe(MAX_DURATION_MS);
    expect(steps.length).toBeLessThan(100);
  });

  it('are never shorter than the delay, and the usual delays are exact', () => {
    for (const ms of [1, 100, 250, 500, 1_000, 1_500, 2_000, 5_000, 30_000, 60_000, 120_000, 300_000, 600_000]) {
      expect(delayStep(ms)).toBe(ms);
    }
    expect([delayStep(0), delayStep(0.5), delayStep(301), delayStep(61_000)]).toEqual([1, 1, 400, 80_000]);
    for (let ms = 10; ms < MAX_DURATION_MS; ms = ms * 1.37 + 1) {
      const step = delayStep(ms);
      expect(step).toBeGreaterThanOrEqual(ms);
      expect(step).toBeLessThan(ms * 1.34);
    }
    expect(delayStep(MAX_DURATION_MS)).toBe(MAX_DURATION_MS);
  });
});

describe('arguments of queues', () => {
  it('quorum: counts deliveries and dead-letters without loss', () => {
    const settings = { queueType: 'quorum', durable: true, priorities: false } as const;
    expect(dataQueueOptions('q', settings, { maxLength: 5, messageTtl: 9, deliveryLimit: 3 })).toEqual({
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'q.dead',
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
        'x-delivery-limit': 2,
        'x-max-length': 5,
        'x-message-ttl': 9,
      },
    });
  });

  it('classic: has priorities when asked for, and no arguments that only quorum queues know', () => {
    const settings = { queueType: 'classic', durable: false, priorities: true } as const;
    expect(dataQueueOptions('q', settings, NO_LIMITS)).toEqual({
      durable: false,
      arguments: {
        'x-queue-type': 'classic',
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'q.dead',
        'x-overflow': 'reject-publish',
        'x-max-priority': 9,
      },
    });
  });

  it('dead letters and delays are quorum queues that lose nothing', () => {
    expect(deadQueueOptions().arguments).toEqual({ 'x-queue-type': 'quorum', 'x-delivery-limit': 1_000_000_000 });
    expect(delayQueue('q', 500)).toBe('q~delay.500');
    expect(delayQueueOptions('q', 500).arguments).toMatchObject({
      'x-message-ttl': 500,
      'x-dead-letter-routing-key': 'q',
      'x-dead-letter-strategy': 'at-least-once',
    });
    expect(delayQueueOptions('q', 500).arguments).not.toHaveProperty('x-expires');
  });
});
