import type { CeleryPluginOptions } from '../../../src/taskqueue/drivers/celery/celery.options.js';

/** How large the chaos test is: `npm run test:soak:celery` sets the variables, the suites run with the defaults. */
export const CHAOS = {
  /** Least number of acknowledged tasks. */
  tasks: size('HUB_CHAOS_TASKS', 2_000),
  /** How often all faults happen. */
  rounds: size('HUB_CHAOS_ROUNDS', 1),
};

/** How long a worker may hold a task before Redis as a broker gives it to another, in s: that of a worker that was killed. */
const VISIBILITY_S = 5;

/** Settings of the workers with Redis as the broker; by default they look for lost tasks every 100 s only. */
export const REDIS_WORKER_CONF = {
  broker_transport_options: {
    visibility_timeout: VISIBILITY_S,
    unacked_restore_interval: 1,
    unacked_restore_throttle: 1,
  },
};

/** Options of the plugin: what is lost is noticed soon. */
export const CHAOS_OPTIONS = {
  publishTimeout: 5_000,
  controlTimeout: 1_000,
  visibilityTimeout: VISIBILITY_S * 1_000,
  amqp: { heartbeat: 1_000, connectTimeout: 3_000 },
  redisBroker: { commandTimeout: 2_000, connectTimeout: 3_000 },
  redisBackend: { commandTimeout: 2_000, connectTimeout: 3_000 },
} satisfies CeleryPluginOptions;

/** How long a fault lasts, in ms. */
export const FAULT_MS = 1_500;
/** How long a silent network lasts, in ms: longer than a heartbeat is waited for, and a command. */
export const SILENCE_MS = 4_500;

/** Longest time in ms from the end of a fault until a submit is acknowledged again. */
export const ACKNOWLEDGED_MS = 8_000;
/**
 * Longest time in ms from the end of a fault until every worker runs tasks again. Celery's own: its waits between attempts
 * to reach the broker grow by 2 s each.
 */
export const WORKERS_MS = 60_000;
/** Longest time in ms from when both is so until a task that is submitted after the fault has its result. */
export const RESULT_MS = 15_000;

/** Longest time in ms that health may say up while something is away. */
export const FALSE_UP_MS = 5_000;
/** Longest time in ms that health may say down while everything is there and workers run tasks. */
export const FALSE_DOWN_MS = 6_000;

/** Most time in ms that a call of `getResult` may take beyond its timeout. */
export const LATE_MS = 2_000;

function size(variable: string, normal: number): number {
  const given = Number(process.env[variable] ?? normal);
  if (!Number.isSafeInteger(given) || given < 1) throw new Error(`${variable} has to be a whole number from 1.`);
  return given;
}
