import { randomBytes } from 'node:crypto';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import type { CeleryPluginOptions } from '../../src/taskqueue/drivers/celery/celery.options.js';
import { CeleryPlugin } from '../../src/taskqueue/drivers/celery/celery.plugin.js';
import { CeleryWorker, type CeleryWorkerOptions } from '../support/celery-worker.js';
import { neededService, type NeededService } from '../support/needed-service.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { run } from '../support/run-command.js';

const python = neededService('python');
const redis = neededService('redis');
const rabbitmq = neededService('rabbitmq');

/** How long a script or command of Python may take, its start included, in ms. */
const PYTHON_DEADLINE = 60_000;
/** Where Python finds the tasks of this folder, those of the contract, and the helper that they share with the example. */
const PATHS = ['.', '../support/celery', '../../examples/python-worker']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .join(delimiter);

/** What carries tasks and results of a room. */
export interface CeleryCarriers {
  readonly broker: 'rabbitmq' | 'redis';
  /** Default `redis`. */
  readonly backend?: 'redis' | 'rpc';
}

/** The two brokers, with what a suite that uses one needs. Results are in Redis. */
export const BROKERS = (['rabbitmq', 'redis'] as const).map((broker) => ({
  broker,
  ...celeryNeeds(broker),
}));

/** Whether something is missing for rooms with a broker, and the note for the suite's name. */
export function celeryNeeds(broker: CeleryCarriers['broker']): Omit<NeededService, 'address'> {
  const needed = [python, redis, ...(broker === 'rabbitmq' ? [rabbitmq] : [])];
  return { missing: needed.some(({ missing }) => missing), note: needed.map(({ note }) => note).join('') };
}

/** A vhost and key prefix of a suite's own, with the plugins, the workers, and the Python clients that use them. */
export class CeleryRoom {
  /** Of all keys on Redis. */
  readonly prefix = `hub-test-${randomBytes(6).toString('hex')}:`;
  readonly #open: (() => Promise<unknown>)[] = [];

  private constructor(
    /** URL of the broker. */
    readonly brokerUrl: string,
    /** URL of the results. */
    readonly backendUrl: string,
    /** Of RabbitMQ. */
    readonly vhost: RabbitVhost | undefined,
  ) {}

  /** Makes one; takes some ms. */
  static async open({ broker, backend = 'redis' }: CeleryCarriers): Promise<CeleryRoom> {
    const vhost = broker === 'rabbitmq' ? await RabbitVhost.open('celery') : undefined;
    return new CeleryRoom(vhost?.url ?? redis.address, backend === 'rpc' ? 'rpc://' : redis.address, vhost);
  }

  /** A new plugin, not initialized; {@link close} shuts it down. */
  make(options: CeleryPluginOptions = {}): CeleryPlugin {
    const { brokerUrl, backendUrl, prefix } = this;
    const plugin = new CeleryPlugin({ brokerUrl, backendUrl, keyPrefix: prefix, brokerKeyPrefix: prefix, ...options });
    this.#open.push(() => plugin.shutdown());
    return plugin;
  }

  /** A new plugin, open. */
  async plugin(options: CeleryPluginOptions = {}): Promise<CeleryPlugin> {
    const plugin = this.make(options);
    await plugin.initialize();
    return plugin;
  }

  /** A worker with the tasks of the contract and of `canvas_tasks.py`, ready. */
  async worker(options: Partial<CeleryWorkerOptions> = {}): Promise<CeleryWorker> {
    const { brokerUrl: broker, backendUrl: backend, prefix: keyPrefix } = this;
    const own = { python: python.address, broker, backend, keyPrefix, app: 'canvas_tasks' };
    const worker = await CeleryWorker.start({ ...own, env: { PYTHONPATH: PATHS }, ...options });
    this.#open.push(() => worker.remove());
    return worker;
  }

  /** Runs a script of this folder with the contract's app; resolves to the JSON that it printed last. */
  async script(name: string, ...args: readonly string[]): Promise<unknown> {
    const file = fileURLToPath(new URL(name, import.meta.url));
    const output = await run(python.address, [file, ...args], { timeout: PYTHON_DEADLINE, env: this.#environment });
    return JSON.parse(output.trim().split('\n').at(-1) ?? '') as unknown;
  }

  /** Runs `celery` with the contract's app; resolves to what it printed. */
  async celery(...args: readonly string[]): Promise<string> {
    const line = ['-m', 'celery', '-A', 'contract_tasks', ...args];
    return run(python.address, line, { timeout: PYTHON_DEADLINE, env: this.#environment });
  }

  /** Runs `work` with a client of its own on the Redis of the suites. */
  async withRedis<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(redis.address);
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  }

  /** Key and channel of a task's result. */
  metaKey(taskId: string): string {
    return `${this.prefix}celery-task-meta-${taskId}`;
  }

  /** Closes what was opened, the last first, and removes vhost and keys. */
  async close(): Promise<void> {
    for (const end of this.#open.splice(0).reverse()) await end();
    await this.vhost?.remove();
    await this.withRedis(async (client) => {
      for await (const keys of client.scanStream({ match: `${this.prefix}*`, count: 1_000 })) {
        if ((keys as string[]).length > 0) await client.del(keys as string[]);
      }
    });
  }

  get #environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      PYTHONPATH: PATHS,
      PYTHONDONTWRITEBYTECODE: '1',
      HUB_CELERY_BROKER: this.brokerUrl,
      HUB_CELERY_BACKEND: this.backendUrl,
      HUB_CELERY_KEY_PREFIX: this.prefix,
    };
  }
}
