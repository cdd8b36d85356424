import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import type { TaskQueueHarness } from '../../src/taskqueue/contract/task-harness.js';
import { CONTRACT_QUEUE } from '../../src/taskqueue/contract/task-harness.js';
import type { BullMQPluginOptions } from '../../src/taskqueue/drivers/bullmq/bullmq.options.js';
import { BullMQPlugin } from '../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';
import type { TaskQueuePlugin } from '../../src/taskqueue/taskqueue.plugin.js';
import { neededService } from './needed-service.js';

/** Deletes every key with a prefix. */
export async function deleteKeys(url: string, prefix: string): Promise<void> {
  const redis = new Redis(url);
  try {
    let cursor = '0';
    do {
      const [next, keys] = await redis.scan(cursor, 'MATCH', `${prefix}:*`, 'COUNT', 1_000);
      if (keys.length > 0) await redis.del(keys);
      cursor = next;
    } while (cursor !== '0');
  } finally {
    redis.disconnect();
  }
}

/** A prefix that nobody else uses. */
export function ownPrefix(): string {
  return `hub-test-${randomBytes(6).toString('hex')}`;
}

/** The driver on the tests' Redis, each plugin under a prefix of its own. */
export class BullMQContractTarget {
  readonly #service = neededService('redis');
  readonly #prefixes = new WeakMap<TaskQueuePlugin, string>();

  /** Whether there is no Redis. */
  get isMissing(): boolean {
    return this.#service.missing;
  }

  /** Why the suite is skipped when it is. */
  get note(): string {
    return this.#service.note;
  }

  get harness(): TaskQueueHarness {
    return {
      create: () => this.#open(ownPrefix()),
      serial: () => this.#open(ownPrefix(), { concurrency: 1, workerThreads: 1 }),
      reopen: (plugin) => this.#open(this.#prefixOf(plugin)),
      cleanup: (plugin) => deleteKeys(this.#service.address, this.#prefixOf(plugin)),
    };
  }

  async #open(prefix: string, more: BullMQPluginOptions = {}): Promise<TaskQueuePlugin> {
    const plugin = new BullMQPlugin({
      url: this.#service.address,
      prefix,
      queues: { [CONTRACT_QUEUE]: {} },
      workerThreads: 2,
      killGrace: 200,
      ...more,
    });
    this.#prefixes.set(plugin, prefix);
    return plugin;
  }

  #prefixOf(plugin: TaskQueuePlugin): string {
    const prefix = this.#prefixes.get(plugin);
    if (prefix === undefined) throw new Error('the plugin is of another target');
    return prefix;
  }
}
