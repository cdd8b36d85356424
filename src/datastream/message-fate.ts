import { errorMessage, HubError } from '../core/errors.js';
import { retryDelay, type ResolvedRetryPolicy } from '../core/retry.js';
import type { DeliveryObserver } from './delivery-observer.js';
import type { HandlerOutcome } from './handler-outcome.js';

/**
 * What becomes of a delivery. `ack`: it is removed. `release`: it goes back as if it had not been delivered. `retry`: it is
 * delivered again after `delay` ms. `bury`: it becomes a dead letter.
 */
export type MessageFate =
  | { kind: 'ack' }
  | { kind: 'release' }
  | { kind: 'retry'; delay: number; detail: string }
  | { kind: 'bury'; reason: 'rejected' | 'failed'; detail: string };

/** What the fate of a message depends on beside the outcome. */
export interface FateRules {
  /** How often handlers have failed at it, this time included. */
  failures: number;
  retry: ResolvedRetryPolicy;
  /** Whether the subscription is closed. */
  closed: boolean;
  /** Is told of it: that of the subscription's options. */
  observer?: DeliveryObserver | undefined;
}

const ACK: MessageFate = { kind: 'ack' };

/** Decides on a delivery by the outcome of its handler, as the port says. */
export function messageFate(outcome: HandlerOutcome, rules: FateRules): MessageFate {
  const fate = decide(outcome, rules);
  rules.observer?.settled(fate);
  return fate;
}

function decide(outcome: HandlerOutcome, { failures, retry, closed }: FateRules): MessageFate {
  if (outcome.kind === 'ack') return ACK;
  if (outcome.kind === 'reject') return { kind: 'bury', reason: 'rejected', detail: outcome.detail };
  const { error } = outcome;
  // A handler that gives up because everything closes has not failed at its message.
  if (closed && HubError.is(error, 'ABORTED', 'CLOSED')) return { kind: 'release' };
  const detail = errorMessage(error);
  if (failures < retry.attempts) return { kind: 'retry', delay: retryDelay(retry, failures), detail };
  return { kind: 'bury', reason: 'failed', detail };
}
