import type { StoreLogger } from '../../../embedded/store-logger.js';
import { faultText, type RedisClients } from '../../../redis/index.js';
import type { WorkerInfo } from '../../taskqueue.types.js';
import type { RedisKeys } from './redis-keys.js';

/** How often a worker says that it is there, in ms. */
const BEAT = 3_000;
/** How long what it said holds, in ms. */
const TTL = 10_000;

/** The workers of all processes: each writes down what it is, again and again, and is gone when it does not. */
export class WorkerRoll {
  #beat: NodeJS.Timeout | undefined;
  #describe: (() => WorkerInfo) | undefined;

  constructor(
    private readonly clients: RedisClients,
    private readonly keys: RedisKeys,
    private readonly logger: StoreLogger,
  ) {}

  /** Puts this process on the roll, and again now with what has changed. */
  async enter(describe: () => WorkerInfo): Promise<void> {
    this.#describe = describe;
    this.#beat ??= setInterval(() => void this.#write(), BEAT).unref();
    await this.#write();
  }

  /** The workers that are there. */
  async list(): Promise<WorkerInfo[]> {
    const { command } = this.clients;
    this.clients.ensureUp();
    const names = await command.smembers(this.keys.workers);
    if (names.length === 0) return [];
    const found = await command.mget(names.map((name) => this.keys.worker(name)));
    const gone = names.filter((_name, index) => found[index] === null);
    if (gone.length > 0) await command.srem(this.keys.workers, ...gone);
    return found.filter((json) => json !== null && json !== undefined).map((json) => JSON.parse(json) as WorkerInfo);
  }

  /** Takes this process off the roll. */
  async leave(): Promise<void> {
    clearInterval(this.#beat);
    this.#beat = undefined;
    const name = this.#describe?.().name;
    this.#describe = undefined;
    if (name === undefined || !this.clients.up) return;
    await this.#attempt(async () => {
      await this.clients.command.srem(this.keys.workers, name);
      await this.clients.command.del(this.keys.worker(name));
    });
  }

  async #write(): Promise<void> {
    const info = this.#describe?.();
    if (info === undefined || !this.clients.up) return;
    await this.#attempt(async () => {
      await this.clients.command.set(this.keys.worker(info.name), JSON.stringify(info), 'PX', TTL);
      await this.clients.command.sadd(this.keys.workers, info.name);
    });
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.logger.debug(`the roll of workers cannot be written: ${faultText(error)}`);
    }
  }
}
