import type { JobJson, JobsOptions } from 'bullmq';
import { resolveRetry, type RetryPolicy } from '../../../core/retry.js';
import type { NormalizedSubmission } from '../../taskqueue.validation.js';
import type { BullMQOptions } from './bullmq.options.js';
import { envelopeText } from './task-envelope.js';

/** Stacks that a job keeps, of its last attempts. */
const STACKS = 5;

/** BullMQ's options for a task. */
export function jobOptions(task: NormalizedSubmission, options: BullMQOptions, now: number): JobsOptions {
  const { taskId, priority, due, retry } = task;
  const keep: { age: number; count?: number } = { age: options.resultTtl / 1_000 };
  if (options.maxResults) keep.count = options.maxResults;
  const opts: JobsOptions = {
    attempts: 0,
    jobId: taskId,
    removeOnComplete: keep,
    removeOnFail: keep,
    stackTraceLimit: STACKS,
  };
  // BullMQ runs lower numbers first, and before them those without a number.
  if (options.priorities) opts.priority = 10 - priority;
  if (due > now) opts.delay = due - now;
  if (retry !== null) Object.assign(opts, attempts(retry));
  return opts;
}

/**
 * A task as BullMQ's store takes it. What `Queue.add` would do before that is done: the text is there, and the check of a
 * submission is stricter than that of a job's options.
 */
export function jobEntry(
  task: NormalizedSubmission,
  options: BullMQOptions,
  now: number,
): { job: JobJson; jobId: string } {
  const job = {
    id: task.taskId,
    name: task.name,
    data: envelopeText(task),
    opts: jobOptions(task, options, now),
    progress: 0,
    attemptsMade: 0,
    attemptsStarted: 0,
    stalledCounter: 0,
    timestamp: now,
  };
  // The fields of jobs that have ended, which the type asks for, are left out by BullMQ as well.
  return { job: job as JobJson, jobId: task.taskId };
}

/** The nearest that workers of BullMQ in other languages know; the hub's own go by the envelope's policy. */
function attempts(retry: RetryPolicy): JobsOptions {
  const policy = resolveRetry(retry);
  const type = policy.factor === 1 ? 'fixed' : 'exponential';
  return { attempts: policy.attempts, backoff: { type, delay: policy.delay, jitter: policy.jitter } };
}
