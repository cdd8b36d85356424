import { describe, expect, it } from 'vitest';
import { decideRetrain, type RetrainFacts } from './retrain-policy.js';

const policy = { threshold: 0.75, window: 10, minSamples: 5, cooldown: 100, maxRetrains: { count: 2, per: 1_000 } };
const facts: RetrainFacts = { value: 0.5, samples: 10, at: 5_000, inFlight: false, trainings: [], retrains: [] };

describe('decideRetrain', () => {
  it.each<[string, Partial<RetrainFacts>]>([
    ['worse-than-threshold', {}],
    ['in-flight', { inFlight: true }],
    ['too-few-samples', { samples: 4 }],
    ['too-few-samples', { value: null, samples: 0 }],
    ['good-enough', { value: 0.75 }],
    ['cooldown', { trainings: [4_901] }],
    ['cooldown', { trainings: [6_000] }],
    ['worse-than-threshold', { trainings: [4_900] }],
    ['loop-guard', { retrains: [4_100, 4_500] }],
    ['worse-than-threshold', { retrains: [4_000, 4_500] }],
  ])('%s for %j', (rule, changes) => {
    const verdict = decideRetrain(policy, 'max', { ...facts, ...changes });
    expect(verdict).toEqual({ retrain: rule === 'worse-than-threshold', rule });
  });

  it('turns around for a metric that is better when lower', () => {
    expect(decideRetrain(policy, 'min', { ...facts, value: 0.5 }).rule).toBe('good-enough');
    expect(decideRetrain(policy, 'min', { ...facts, value: 0.8 }).retrain).toBe(true);
  });
});
