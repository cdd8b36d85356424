import { describe, expect, it } from 'vitest';
import { decidePromotion, type GateFacts } from './promotion-gate.js';

const facts: GateFacts = {
  mode: 'gate',
  minImprovement: 0,
  direction: 'max',
  metric: 'accuracy',
  champion: '3',
  challengerScore: 0.9,
  championScore: 0.8,
  evaluationError: null,
};

describe('decidePromotion', () => {
  it.each<[boolean, string, Partial<GateFacts>]>([
    [true, 'better', {}],
    [false, 'a tie', { championScore: 0.9 }],
    [false, 'worse', { championScore: 0.95 }],
    [false, 'not better enough', { minImprovement: 0.2 }],
    [false, 'worse', { direction: 'min' }],
    [true, 'better', { direction: 'min', challengerScore: 0.7 }],
    [true, 'first version', { champion: null, championScore: null, challengerScore: null }],
    [false, 'manual', { mode: 'manual', champion: null }],
    [true, 'every new version', { mode: 'always', championScore: 1 }],
    [false, 'only the first version is promoted (promotion.mode first-only)', { mode: 'first-only' }],
    [true, 'first version', { mode: 'first-only', champion: null }],
    [false, 'not scored: it broke', { challengerScore: null, evaluationError: 'it broke' }],
  ])('%s, %s, for %j', (promoted, reason, changes) => {
    const decision = decidePromotion({ ...facts, ...changes });
    expect(decision.promoted).toBe(promoted);
    expect(decision.reason).toContain(reason);
  });
});
