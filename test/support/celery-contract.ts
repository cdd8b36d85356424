import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { CONTRACT_QUEUE, type TaskQueueHarness } from '../../src/taskqueue/contract/task-harness.js';
import type { CeleryPluginOptions } from '../../src/taskqueue/drivers/celery/celery.options.js';
import { CeleryPlugin } from '../../src/taskqueue/drivers/celery/celery.plugin.js';
import type { TaskQueuePlugin } from '../../src/taskqueue/taskqueue.plugin.js';
import { CeleryWorker, type CeleryWorkerOptions } from './celery-worker.js';
import { neededService } from './needed-service.js';
import { RabbitVhost } from './rabbit-vhost.js';

const python = neededService('python');
const redis = neededService('redis');
const rabbitmq = neededService('rabbitmq');

/** What carries tasks and results of a target. */
interface CeleryTransports {
  label: string;
  broker: 'rabbitmq' | 'redis';
  backend: 'redis' | 'rpc';
  /** Settings of the driver, and the same of the workers. */
  options: CeleryPluginOptions;
  worker: Partial<CeleryWorkerOptions>;
}

/** Broker and result backend with which the contract runs, with real Python workers, apart from all others. */
export class CeleryContractTarget {
  readonly #prefix = `hub-test-${randomBytes(6).toString('hex')}:`;
  #vhost: RabbitVhost | undefined;
  #worker: CeleryWorker | undefined;
  readonly #serial = new Map<TaskQueuePlugin, { queue: string; worker?: CeleryWorker }>();

  constructor(private readonly transports: CeleryTransports) {}

  /** Whether something that it needs is not there. */
  get isMissing(): boolean {
    return this.#needed.some(({ missing }) => missing);
  }

  /** The label, and why the target is skipped when it is. */
  get name(): string {
    return `${this.transports.label}${this.#needed.map(({ note }) => note).join('')}`;
  }

  /** Starts the worker that serves all tests. */
  async start(): Promise<void> {
    if (this.transports.broker === 'rabbitmq') this.#vhost = await RabbitVhost.open('celery');
    this.#worker = await this.#hire(['celery', CONTRACT_QUEUE], 2);
  }

  /** Ends it, and removes what it has stored. */
  async stop(): Promise<void> {
    await this.#worker?.remove();
    await this.#vhost?.remove();
    await this.#removeKeys('');
  }

  get harness(): TaskQueueHarness {
    const open = async (): Promise<TaskQueuePlugin> => this.#plugin({});
    return {
      create: open,
      reopen: open,
      tasks: async (plugin) => {
        const serial = this.#serial.get(plugin);
        if (serial !== undefined) serial.worker = await this.#hire([serial.queue], 1);
      },
      serial: async () => {
        const queue = `serial-${randomBytes(4).toString('hex')}`;
        const plugin = this.#plugin({ defaultQueue: queue });
        this.#serial.set(plugin, { queue });
        return plugin;
      },
      cleanup: async (plugin) => {
        await this.#serial.get(plugin)?.worker?.remove();
        this.#serial.delete(plugin);
        await this.#removeKeys('celery-task-meta-');
      },
    };
  }

  get #needed() {
    return [python, redis, ...(this.transports.broker === 'rabbitmq' ? [rabbitmq] : [])];
  }

  get #addresses(): { broker: string; backend: string } {
    const { broker, backend } = this.transports;
    return {
      broker: broker === 'redis' ? redis.address : (this.#vhost?.url ?? ''),
      backend: backend === 'rpc' ? 'rpc://' : redis.address,
    };
  }

  #plugin(options: CeleryPluginOptions): CeleryPlugin {
    const { broker: brokerUrl, backend: backendUrl } = this.#addresses;
    const prefixes = { keyPrefix: this.#prefix, brokerKeyPrefix: this.#prefix };
    const results = this.transports.backend === 'rpc' ? { resultQueue: 'results' } : {};
    return new CeleryPlugin({ brokerUrl, backendUrl, ...prefixes, ...results, ...this.transports.options, ...options });
  }

  #hire(queues: readonly string[], concurrency: number): Promise<CeleryWorker> {
    return CeleryWorker.start({
      python: python.address,
      ...this.#addresses,
      queues,
      keyPrefix: this.#prefix,
      concurrency,
      ...this.transports.worker,
    });
  }

  async #removeKeys(part: string): Promise<void> {
    const client = new Redis(redis.address);
    try {
      for await (const keys of client.scanStream({ match: `${this.#prefix}${part}*`, count: 1_000 })) {
        if ((keys as string[]).length > 0) await client.del(keys as string[]);
      }
    } finally {
      client.disconnect();
    }
  }
}

/** The combinations that behave differently. */
export const celeryTargets: readonly CeleryContractTarget[] = [
  new CeleryContractTarget({
    label: 'RabbitMQ with results in Redis',
    broker: 'rabbitmq',
    backend: 'redis',
    options: { maxPriority: 9 },
    worker: { maxPriority: 9 },
  }),
  new CeleryContractTarget({
    label: 'Redis with results in Redis',
    broker: 'redis',
    backend: 'redis',
    options: { maxPriority: 9 },
    worker: {},
  }),
  new CeleryContractTarget({
    label: 'quorum queues of RabbitMQ with results by rpc',
    broker: 'rabbitmq',
    backend: 'rpc',
    options: { queueType: 'quorum' },
    // On quorum queues a worker's tasks that wait for their time keep others out beyond its prefetch.
    worker: { queueType: 'quorum', conf: { worker_prefetch_multiplier: 20 } },
  }),
];
