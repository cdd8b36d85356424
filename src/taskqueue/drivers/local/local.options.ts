import { availableParallelism } from 'node:os';
import Joi from 'joi';
import { embeddedStoreKeys, type EmbeddedStoreOptions } from '../../../embedded/store.options.js';

/** Options of the `local` task queue. */
export interface LocalTaskQueueOptions extends EmbeddedStoreOptions {
  /** Tasks of `registerTask` and `@Task` that run at once. Default 10. */
  concurrency: number;
  /** Tasks of `registerTasks` that run at once, each in a thread. Default: available parallelism - 1, at least 1. */
  workerThreads: number;
  /** How long results are kept, in ms. Default 24 h; afterwards `getResult` rejects with `RESULT_EXPIRED`. */
  resultTtl: number;
  /** Most bytes of one task's arguments, result or progress report, as JSON. Default 1 MiB. */
  maxPayloadBytes: number;
  /** How often a task may lose its process or thread before it is FAILURE. Default 5. */
  attemptLimit: number;
  /** Queue of tasks that name none. Default `default`. */
  defaultQueue: string;
  /** Most tasks of a queue that run at once, by queue name. Queues that are not listed have no limit of their own. */
  queues: Record<string, number>;
  /** ms between the abort signal and the end of a worker thread. Default 5000. */
  killGrace: number;
}

/** Joi schema of {@link LocalTaskQueueOptions}. */
export const localTaskQueueSchema = Joi.object<LocalTaskQueueOptions>({
  ...embeddedStoreKeys,
  concurrency: Joi.number()
    .integer()
    .min(1)
    .default(10)
    .description('Tasks of registerTask and @Task that run at once, on the event loop.'),
  workerThreads: Joi.number()
    .integer()
    .min(1)
    .default(() => Math.max(1, availableParallelism() - 1))
    .description('Tasks of registerTasks that run at once, each in a worker thread. Default: parallelism - 1.'),
  resultTtl: Joi.number().integer().min(1).default(86_400_000).description('How long results are kept, in ms.'),
  maxPayloadBytes: Joi.number()
    .integer()
    .min(1)
    .default(1_048_576)
    .description("Most bytes of one task's arguments, result or progress report, as JSON."),
  attemptLimit: Joi.number()
    .integer()
    .min(1)
    .default(5)
    .description('How often a task may lose its process or thread before it is FAILURE.'),
  defaultQueue: Joi.string()
    .pattern(/^[A-Za-z0-9_.-]{1,128}$/)
    .default('default')
    .description('Queue of tasks that name none.'),
  queues: Joi.object()
    .pattern(Joi.string(), Joi.number().integer().min(1))
    .default({})
    .description('Most tasks of a queue that run at once, by queue name.'),
  killGrace: Joi.number()
    .integer()
    .min(0)
    .default(5_000)
    .description('ms between the abort signal and the end of a worker thread.'),
});
