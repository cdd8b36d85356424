import type { JobsOptions } from 'bullmq';
import { resolveRetry, type RetryPolicy } from '../../../core/retry.js';
import type { NormalizedSubmission } from '../../taskqueue.validation.js';
import type { BullMQOptions } from './bullmq.options.js';

/** Stacks that a job keeps, of its last attempts. */
const STACKS = 5;

/** BullMQ's options for a task. */
export function jobOptions(task: NormalizedSubmission, options: BullMQOptions, now: number): JobsOptions {
  const { taskId, priority, due, retry } = task;
  const delay = Math.max(0, due - now);
  const keep = { age: options.resultTtl / 1_000, ...(options.maxResults ? { count: options.maxResults } : {}) };
  return {
    jobId: taskId,
    timestamp: now,
    removeOnComplete: keep,
    removeOnFail: keep,
    stackTraceLimit: STACKS,
    // BullMQ runs lower numbers first, and before them those without a number.
    ...(options.priorities ? { priority: 10 - priority } : {}),
    ...(delay === 0 ? {} : { delay }),
    ...(retry === null ? {} : attempts(retry)),
  };
}

/** The nearest that workers of BullMQ in other languages know; the hub's own go by the envelope's policy. */
function attempts(retry: RetryPolicy): JobsOptions {
  const policy = resolveRetry(retry);
  const type = policy.factor === 1 ? 'fixed' : 'exponential';
  return { attempts: policy.attempts, backoff: { type, delay: policy.delay, jitter: policy.jitter } };
}
