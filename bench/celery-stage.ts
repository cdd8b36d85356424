import { randomUUID } from 'node:crypto';
import { delimiter, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TaskQueueModule, TaskQueuePlugin } from 'nestjs-experiment-hub';
import { CeleryWorker } from '../test/support/celery-worker.js';
import { ARGUMENTS, RawCelery } from './celery-raw.js';
import { open } from './open.js';
import { PythonRates } from './python-rates.js';

/** The Redis of the results, and of the tasks where that is the broker. */
export const REDIS = process.env['HUB_TEST_REDIS'] ?? 'redis://127.0.0.1:56379';
const PYTHON = resolve(process.env['HUB_TEST_PYTHON'] ?? '.venv/bin/python');
/** Where Python finds the bench's tasks, and the helper that they use. */
const PATH = [new URL('.', import.meta.url), new URL('../examples/python-worker', import.meta.url)]
  .map((url) => fileURLToPath(url))
  .join(delimiter);

/** All sides, on the same broker and Redis. */
export interface CeleryStage {
  /** The plugin with RabbitMQ, and with Redis as the broker. */
  rabbit: TaskQueuePlugin;
  redis: TaskQueuePlugin;
  raw: RawCelery;
  python: PythonRates;
  /** Nobody works on it. */
  queue: string;
  /** In front of all keys in Redis. */
  prefix: string;
  /** Starts a worker (prefork, 2 processes) with a queue of its own, and calls `work` with its name. */
  withWorker<T>(work: (queue: string) => Promise<T>): Promise<T>;
}

/** Runs `work` with all sides open; everything that they leave is removed afterwards. */
export async function withCelery<T>(amqp: string, work: (stage: CeleryStage) => Promise<T>): Promise<T> {
  const prefix = `hub-bench-${randomUUID().slice(0, 8)}:`;
  const queue = prefix.slice(0, -1);
  const worked = `${queue}-worked`;
  process.env['PYTHONPATH'] = PATH;
  process.env['BENCH_ARGUMENTS'] = JSON.stringify(ARGUMENTS);
  const plugin = (brokerUrl: string) => {
    const config = { brokerUrl, backendUrl: REDIS, keyPrefix: prefix, brokerKeyPrefix: prefix, defaultQueue: queue };
    return open(TaskQueueModule.forRoot({ type: 'celery', config }));
  };
  const [rabbit, redis] = [await plugin(amqp), await plugin(REDIS)];
  const raw = await RawCelery.open(amqp, REDIS);
  const python = new PythonRates(PYTHON, 'celery_rates.py', [amqp, REDIS, prefix]);
  try {
    return await work({
      rabbit: rabbit.get(TaskQueuePlugin),
      redis: redis.get(TaskQueuePlugin),
      raw,
      python,
      queue,
      prefix,
      withWorker: async (during) => {
        const worker = await CeleryWorker.start({
          python: PYTHON,
          broker: amqp,
          backend: REDIS,
          queues: [worked],
          keyPrefix: prefix,
          app: 'celery_rates',
          env: { PYTHONPATH: PATH },
        });
        try {
          return await during(worked);
        } finally {
          await worker.remove();
        }
      },
    });
  } finally {
    python.stop();
    await rabbit.close();
    await redis.close();
    for (const name of [queue, worked]) await raw.remove(name, prefix);
    await raw.close();
  }
}
