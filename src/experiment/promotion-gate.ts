import type { MetricDirection, PromotionDecision, PromotionOptions } from './experiment.types.js';

/** What {@link decidePromotion} judges by. */
export interface GateFacts {
  mode: Required<PromotionOptions>['mode'];
  minImprovement: number;
  direction: MetricDirection;
  metric: string;
  /** Version of the champion, or `null` when there is none. */
  champion: string | null;
  challengerScore: number | null;
  championScore: number | null;
  /** Why there are no scores although there is an evaluate task. */
  evaluationError: string | null;
}

/**
 * Whether a new version becomes the champion. Ties keep the champion, and so does whatever could not be scored. Pure.
 */
export function decidePromotion(facts: GateFacts): PromotionDecision {
  const { mode, champion, metric, challengerScore, championScore } = facts;
  const decide = (promoted: boolean, reason: string): PromotionDecision => ({
    promoted,
    reason,
    challengerScore,
    championScore,
  });
  if (mode === 'manual') return decide(false, 'promotion is manual');
  if (champion === null) return decide(true, 'first version');
  if (mode === 'always') return decide(true, 'every new version is promoted');
  if (mode === 'first-only')
    return decide(false, 'only the first version is promoted (promotion.mode first-only); promote it by hand');
  if (challengerScore === null || championScore === null) {
    return decide(false, `not scored: ${facts.evaluationError ?? 'the evaluate task gave no scores'}`);
  }
  const gain = facts.direction === 'max' ? challengerScore - championScore : championScore - challengerScore;
  const better = gain > facts.minImprovement;
  const relation = better ? 'better' : gain === 0 ? 'a tie' : gain > 0 ? 'not better enough' : 'worse';
  return decide(
    better,
    `${metric} ${shown(challengerScore)} against ${shown(championScore)} of version ${champion}: ${relation}`,
  );
}

function shown(score: number): string {
  return String(Math.round(score * 1e6) / 1e6);
}
