import { randomBytes } from 'node:crypto';
import { Queue, Worker, type Processor } from 'bullmq';
import { Redis } from 'ioredis';
import type { BullMQPluginOptions } from '../../src/taskqueue/drivers/bullmq/bullmq.options.js';
import { BullMQPlugin } from '../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';

/** A prefix of its own on a Redis server, with the plugins, and the plain queues and workers of BullMQ, that use it. */
export class BullMQRoom {
  readonly prefix = `hub-test-${randomBytes(6).toString('hex')}`;
  readonly #open: (() => Promise<unknown>)[] = [];

  constructor(readonly url: string) {}

  /** A new plugin, not initialized; {@link close} shuts it down. */
  make(options: BullMQPluginOptions = {}): BullMQPlugin {
    const plugin = new BullMQPlugin({ url: this.url, prefix: this.prefix, killGrace: 200, ...options });
    this.#open.push(() => plugin.shutdown());
    return plugin;
  }

  /** A new plugin, open. */
  async plugin(options: BullMQPluginOptions = {}): Promise<BullMQPlugin> {
    const plugin = this.make(options);
    await plugin.initialize();
    return plugin;
  }

  /** A queue as an application without the hub has it. */
  queue(name: string): Queue {
    const queue = new Queue(name, { connection: { url: this.url }, prefix: this.prefix });
    this.#open.push(() => queue.close());
    return queue;
  }

  /** A worker as an application without the hub has it. */
  worker(name: string, processor: Processor): Worker {
    const worker = new Worker(name, processor, { connection: { url: this.url }, prefix: this.prefix });
    worker.on('error', () => undefined);
    this.#open.push(() => worker.close(true));
    return worker;
  }

  /** Runs `work` with a client of its own. */
  async withRedis<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.url);
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  }

  /** Closes what was opened, the last first, and deletes the keys of the prefix. */
  async close(): Promise<void> {
    for (const end of this.#open.splice(0).reverse()) await end();
    await this.withRedis(async (redis) => {
      let cursor = '0';
      do {
        const [next, keys] = await redis.scan(cursor, 'MATCH', `${this.prefix}:*`, 'COUNT', 1_000);
        if (keys.length > 0) await redis.del(keys);
        cursor = next;
      } while (cursor !== '0');
    });
  }
}
