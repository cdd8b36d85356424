import type { MetricDirection, RetrainPolicy } from './experiment.types.js';

/** What {@link decideRetrain} judges by. Times are ms since 1970, on the clock of the feedback items. */
export interface RetrainFacts {
  /** The rolling metric, or `null` without samples. */
  value: number | null;
  /** Items that it is the mean of. */
  samples: number;
  /** Time of the latest item. */
  at: number;
  /** Whether a training is running. */
  inFlight: boolean;
  /** Times of the earlier trainings, of any reason. */
  trainings: readonly number[];
  /** Times of those that the policy began. */
  retrains: readonly number[];
}

/** The decision and the rule that made it. */
export interface RetrainVerdict {
  retrain: boolean;
  rule: 'in-flight' | 'too-few-samples' | 'good-enough' | 'cooldown' | 'loop-guard' | 'worse-than-threshold';
}

/** Whether `value` is worse than `threshold`; equal is good enough. */
export function isWorse(value: number, threshold: number, direction: MetricDirection): boolean {
  return direction === 'max' ? value < threshold : value > threshold;
}

/** Applies a policy to the facts. Pure: the same facts give the same verdict, so history can be replayed. */
export function decideRetrain(
  policy: Required<RetrainPolicy>,
  direction: MetricDirection,
  facts: RetrainFacts,
): RetrainVerdict {
  if (facts.inFlight) return { retrain: false, rule: 'in-flight' };
  if (facts.value === null || facts.samples < policy.minSamples) return { retrain: false, rule: 'too-few-samples' };
  if (!isWorse(facts.value, policy.threshold, direction)) return { retrain: false, rule: 'good-enough' };
  // An item from before the last training is no news about it, so it falls under the cooldown as well.
  if (facts.trainings.some((at) => facts.at - at < policy.cooldown)) return { retrain: false, rule: 'cooldown' };
  const recent = facts.retrains.filter((at) => facts.at - at < policy.maxRetrains.per);
  if (recent.length >= policy.maxRetrains.count) return { retrain: false, rule: 'loop-guard' };
  return { retrain: true, rule: 'worse-than-threshold' };
}
