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

type Plugin = TaskQueuePlugin;

/** All sides, on the same broker and Redis. */
export interface CeleryStage {
  /** The plugin with RabbitMQ, and with Redis as the broker. */
  rabbit: Plugin;
  redis: Plugin;
  /** With RabbitMQ, and without notes of submits in Redis: it writes what amqplib writes. */
  noteless: Plugin;
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
  const plugin = (brokerUrl: string, changes: { trackSubmits?: boolean } = {}) => {
    const prefixes = { keyPrefix: prefix, brokerKeyPrefix: prefix };
    const config = { brokerUrl, backendUrl: REDIS, ...prefixes, defaultQueue: queue, ...changes };
    return open(TaskQueueModule.forRoot({ type: 'celery', config }));
  };
  const apps = [await plugin(amqp), await plugin(REDIS), await plugin(amqp, { trackSubmits: false })];
  const [rabbit, redis, noteless] = apps.map((app) => app.get(TaskQueuePlugin)) as [Plugin, Plugin, Plugin];
  const raw = await RawCelery.open(amqp, REDIS);
  const python = new PythonRates(PYTHON, 'celery_rates.py', [amqp, REDIS, prefix]);
  try {
    return await work({
      rabbit,
      redis,
      noteless,
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
    for (const app of apps) await app.close();
    for (const name of [queue, worked]) await raw.remove(name, prefix);
    await raw.close();
  }
}
