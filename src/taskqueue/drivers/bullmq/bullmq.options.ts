import { availableParallelism } from 'node:os';
import Joi from 'joi';
import { MAX_TIMER_MS } from '../../../core/deadline.js';
// Not the index of the room: that would load the client, and these options are loaded with the package.
import { redisKeys, type RedisOptions } from '../../../redis/redis.options.js';

/** How many tasks of a queue start in a time, over all processes that set the same. */
export interface QueueRateLimit {
  /** Most tasks that start within `duration`. */
  max: number;
  /** ms. */
  duration: number;
}

/** How this process works on a queue. */
export interface WorkedQueueOptions {
  /** Most tasks of the queue that run at once in this process. Default: as many as there are slots. */
  concurrency?: number;
  /** Default: no limit. */
  limiter?: QueueRateLimit;
}

/** Options of the driver `taskqueue/bullmq`. */
export interface BullMQOptions extends RedisOptions {
  /**
   * Takes connection and prefix from the application's `BullModule.forRoot` of `@nestjs/bullmq`: `true`, or the `configKey`
   * that it was given. In place of `url`, `host` and all else that says where Redis is; a `prefix` given beside it counts.
   */
  sharedConfig?: true | string;
  /** In front of all keys, as `prefix` of BullMQ. On a cluster it needs a hash tag. Default `bull`, there `{bull}`. */
  prefix: string;
  /** Queue of tasks that name none. Default `default`. */
  defaultQueue: string;
  /** Queues that this process works on beside the default one, once it has registered a task. */
  queues: Record<string, WorkedQueueOptions>;
  /** Tasks of `registerTask` and `@Task` that run at once in this process. Default 10. */
  concurrency: number;
  /** Tasks of `registerTasks` that run at once, each in a thread. Default: available parallelism - 1, at least 1. */
  workerThreads: number;
  /**
   * Whether priorities order the tasks. `false`: `priority` is `UNSUPPORTED`, and tasks take BullMQ's faster list.
   * Default true.
   */
  priorities: boolean;
  /** How long results are kept, in ms. Default 24 h; afterwards `getResult` rejects with `RESULT_EXPIRED`. */
  resultTtl: number;
  /** Most ended tasks that a queue keeps, of those that succeeded and of those that failed. Default: no limit. */
  maxResults?: number;
  /** Most bytes of one task's arguments, result or progress report, as JSON. Default 1 MiB. */
  maxPayloadBytes: number;
  /** How long a worker's claim on a task lasts without renewal, in ms. Default 30 000. */
  lockDuration: number;
  /** How often tasks are looked for whose worker died, in ms. Default 30 000. */
  stalledInterval: number;
  /** How often a task may lose its process or thread and run again; once more is FAILURE. Default 4. */
  maxStalledCount: number;
  /** After how long a task that nobody here has registered is looked at again, in ms. Default 5000. */
  unknownTaskDelay: number;
  /** ms between the abort signal and the end of a worker thread. Default 5000. */
  killGrace: number;
}

/** {@link BullMQOptions} as they are given; what is left out has its default. */
export type BullMQPluginOptions = Partial<Omit<BullMQOptions, 'sharedConfig'>>;

const ms = () => Joi.number().integer().min(1).max(MAX_TIMER_MS);
const count = () => Joi.number().integer().min(1);
const queueName = /^[A-Za-z0-9_.-]{1,128}$/;

const workedQueue = Joi.object<WorkedQueueOptions>({
  concurrency: count().description('Most tasks of the queue that run at once in this process.'),
  limiter: Joi.object<QueueRateLimit>({
    max: count().required().description('Most tasks that start within the duration.'),
    duration: ms().required().description('ms.'),
  }).description('How many tasks of the queue start in a time, over all processes.'),
});

/** A default that holds unless the application's configuration takes its place. */
const unlessShared =
  <T>(fallback: T) =>
  ({ sharedConfig }: Pick<BullMQOptions, 'sharedConfig'>): T | undefined =>
    sharedConfig === undefined ? fallback : undefined;

/** Joi schema of {@link BullMQOptions}. */
export const bullmqSchema = Joi.object<BullMQOptions>({
  // First: the defaults of others depend on it.
  sharedConfig: Joi.alternatives(Joi.valid(true), Joi.string().min(1))
    .empty(Joi.valid(false))
    .description(
      'Takes connection and prefix from BullModule.forRoot of @nestjs/bullmq: true, or its configKey. ' +
        'Instead of url, host, port and all else that says where Redis is.',
    ),
  ...redisKeys,
  host: redisKeys.host
    .default(unlessShared('localhost'))
    .description('Name or address of the server. Default localhost.'),
  port: redisKeys.port.default(unlessShared(6379)).description('Port of the server. Default 6379.'),
  prefix: Joi.string()
    .pattern(/^[A-Za-z0-9_.:{}-]{1,128}$/)
    .default(unlessShared('bull'))
    .when('cluster', {
      is: Joi.exist(),
      then: Joi.string()
        .pattern(/\{[^}]+\}/, 'on a cluster it needs a hash tag, e.g. {bull}')
        .default('{bull}'),
    })
    .description(
      'In front of all keys, as prefix of BullMQ. Default bull. On a cluster it needs a hash tag; default {bull} there.',
    ),
  defaultQueue: Joi.string().pattern(queueName).default('default').description('Queue of tasks that name none.'),
  queues: Joi.object()
    .pattern(Joi.string().pattern(queueName), workedQueue.empty(null).default({}))
    .default({})
    .description('Queues that this process works on beside the default one, by name.'),
  concurrency: count()
    .default(10)
    .description('Tasks of registerTask and @Task that run at once in this process, on the event loop.'),
  workerThreads: count()
    .default(() => Math.max(1, availableParallelism() - 1))
    .description('Tasks of registerTasks that run at once, each in a worker thread. Default: parallelism - 1.'),
  priorities: Joi.boolean()
    .default(true)
    .description("Whether priorities order the tasks. false: tasks take BullMQ's faster list."),
  resultTtl: Joi.number().integer().min(1_000).default(86_400_000).description('How long results are kept, in ms.'),
  maxResults: count().description('Most ended tasks that a queue keeps, of each outcome. Default: no limit.'),
  maxPayloadBytes: count()
    .default(1_048_576)
    .description("Most bytes of one task's arguments, result or progress report, as JSON."),
  lockDuration: Joi.number()
    .integer()
    .min(100)
    .max(MAX_TIMER_MS)
    .default(30_000)
    .description("How long a worker's claim on a task lasts without renewal, in ms."),
  stalledInterval: ms().default(30_000).description('How often tasks are looked for whose worker died, in ms.'),
  maxStalledCount: Joi.number()
    .integer()
    .min(0)
    .default(4)
    .description('How often a task may lose its process or thread and run again; once more is FAILURE.'),
  unknownTaskDelay: ms()
    .default(5_000)
    .description('After how long a task that nobody here has registered is looked at again, in ms.'),
  killGrace: Joi.number()
    .integer()
    .min(0)
    .default(5_000)
    .description('ms between the abort signal and the end of a worker thread.'),
})
  .oxor('url', 'sentinel', 'cluster')
  .without('sharedConfig', ['url', 'host', 'port', 'username', 'password', 'db', 'tls', 'sentinel', 'cluster'])
  .messages({
    'object.without': '{{#peer}} is given beside sharedConfig, which takes the connection from BullModule: keep one',
  });
