import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HubOptions } from '../../src/config/index.js';
import type { ExperimentDefinition } from '../../src/experiment/index.js';
import { CeleryWorker } from './celery-worker.js';
import { MLflowServer } from './mlflow-server.js';
import { neededService } from './needed-service.js';
import type { RabbitBroker } from './rabbit-broker.js';
import { RabbitVhost } from './rabbit-vhost.js';
import { RedisServer } from './redis-server.js';

/** In secrets of the configuration; it must not be found anywhere else. */
export const CANARY = 'canary-7f3a91';

/** The rows of the digits: the first ones to train on, and then the sensor turns its sign. */
export const DIGITS = { trainedAt: 599_000, firstRow: 600, driftFrom: 900, rows: 1_797 } as const;

/** The experiment of examples/python-worker/sklearn_tasks.py on handwritten digits. */
export function digits(changes: Partial<ExperimentDefinition> = {}): ExperimentDefinition {
  const { name = 'digits' } = changes;
  return {
    name,
    tasks: {
      train: 'sklearn.train',
      predict: 'sklearn.predict',
      evaluate: 'sklearn.evaluate',
      modelsBy: 'uri',
      maxInlineBytes: 65_536,
    },
    params: { model: 'random_forest', trees: 60, seed: 1 },
    data: { dataset: 'digits', driftFrom: DIGITS.driftFrom },
    streams: { input: `${name}.rows`, output: `${name}.predictions`, batchSize: 50 },
    // Item times are those of the rows, one each second.
    policy: { threshold: 0.6, window: 100, cooldown: 300_000 },
    ...changes,
  };
}

/** What a suite on the real stack needs, or why it is skipped. */
export const realStack = ((): { missing: boolean; note: string } => {
  const services = [neededService('python'), neededService('rabbitmq'), neededService('redis')];
  return { missing: services.some(({ missing }) => missing), note: services.map(({ note }) => note).join('') };
})();

/** MLflow, RabbitMQ, Redis and a Celery worker of a suite's own, on which hubs train for real. */
export class RealStack {
  readonly #workers: CeleryWorker[] = [];

  private constructor(
    readonly folder: string,
    readonly mlflow: MLflowServer,
    /** Broker of messages and of tasks. */
    readonly rabbit: { readonly url: string; remove(): Promise<void> },
    readonly redis: RedisServer,
  ) {}

  /**
   * Starts everything, one worker of two processes included; takes about 15 s.
   * @param broker one for this stack alone, which the caller may restart and which is removed with the stack. Default: a
   *   vhost on the tests' broker
   */
  static async open(label: string, broker?: RabbitBroker): Promise<RealStack> {
    const folder = await mkdtemp(join(tmpdir(), `hub-${label}-`));
    const [mlflow, rabbit, redis] = await Promise.all([
      MLflowServer.start(neededService('python').address, folder),
      broker === undefined ? RabbitVhost.open(label) : { url: broker.amqpUrl, remove: () => broker.remove() },
      RedisServer.create({ password: CANARY }),
    ]);
    const stack = new RealStack(folder, mlflow, rabbit, redis);
    await stack.startWorker();
    return stack;
  }

  /** The environment of workers and of Python programs beside them. */
  get environment(): Record<string, string> {
    return {
      CELERY_BROKER_URL: this.rabbit.url,
      CELERY_RESULT_BACKEND: `${this.redis.url}/0`,
      MLFLOW_TRACKING_URI: this.mlflow.url,
      MLFLOW_DISABLE_TELEMETRY: 'true',
    };
  }

  /** The workers that were started and not killed. */
  get workers(): readonly CeleryWorker[] {
    return this.#workers.filter(({ alive }) => alive);
  }

  /** Starts one more worker of examples/python-worker. */
  async startWorker(concurrency = 2): Promise<CeleryWorker> {
    const python = neededService('python').address;
    const env = this.environment;
    const options = { python, broker: '', backend: '', app: 'app', events: true, concurrency, env };
    const worker = await CeleryWorker.start(options);
    this.#workers.push(worker);
    return worker;
  }

  /**
   * The configuration of a hub on this stack.
   * @param replica hubs that run at the same time have folders of their own
   */
  config(experiments: readonly ExperimentDefinition[], replica = 'hub'): HubOptions {
    return {
      global: { workDir: join(this.folder, replica, 'work') },
      plugins: {
        mlops: {
          type: 'mlflow',
          config: {
            mlflowUri: this.mlflow.url,
            auth: { type: 'bearer', token: CANARY },
            spool: { dir: join(this.folder, replica, 'spool') },
          },
        },
        datastream: { type: 'rabbitmq', config: { url: this.rabbit.url } },
        taskqueue: {
          type: 'celery',
          config: { brokerUrl: this.rabbit.url, backendUrl: `${this.redis.url}/0` },
        },
      },
      experiments: [...experiments],
    };
  }

  /** Stops everything and removes it. */
  async close(): Promise<void> {
    for (const worker of this.#workers) await worker.remove();
    await this.mlflow.stop();
    await this.redis.remove();
    await this.rabbit.remove();
    await rm(this.folder, { recursive: true, force: true });
  }
}
