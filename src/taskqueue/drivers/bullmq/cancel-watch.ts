import { Bag } from '../../../core/bag.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import { faultText, type RedisClients } from '../../../redis/index.js';
import type { RedisKeys } from './redis-keys.js';

/** How often requests are looked for while tasks run, in ms. */
const LOOK = 500;
/** How far back each look goes behind the last request that was seen, in ms of the server's clock. */
const OVERLAP = 60_000;

/** An attempt that runs here. */
interface Watched {
  taskId: string;
  stop: () => void;
}

/** Looks for requests to stop tasks that run here, by whichever process they were made. */
export class CancelWatch {
  readonly #running = new Bag<Watched>();
  #timer: NodeJS.Timeout | undefined;
  #latest = 0;

  constructor(
    private readonly clients: RedisClients,
    private readonly keys: RedisKeys,
    private readonly logger: StoreLogger,
  ) {}

  /** Calls `stop` when the task is asked to stop, until the returned function is called. */
  watch(taskId: string, stop: () => void): () => void {
    const watched = { taskId, stop };
    this.#running.add(watched);
    if (this.#timer === undefined) this.#lookSoon();
    return () => this.#running.delete(watched);
  }

  /** Stops a task that runs here, without a look. */
  stop(taskId: string): void {
    for (const running of this.#running) if (running.taskId === taskId) running.stop();
  }

  /** Whether the task has been asked to stop in an earlier attempt. */
  async isRequested(taskId: string): Promise<boolean> {
    return (await this.clients.patient.zscore(this.keys.cancels, taskId)) !== null;
  }

  /** Forgets the request of a task that has stopped. */
  async forget(taskId: string): Promise<void> {
    await this.clients.patient.zrem(this.keys.cancels, taskId);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#running.clear();
  }

  async #look(): Promise<void> {
    try {
      const from = Math.max(0, this.#latest - OVERLAP);
      const found = await this.clients.command.zrange(this.keys.cancels, from, '+inf', 'BYSCORE', 'WITHSCORES');
      for (let index = 0; index < found.length; index += 2) {
        this.#latest = Math.max(this.#latest, Number(found[index + 1]));
        this.stop(found[index] ?? '');
      }
    } catch (error) {
      this.logger.debug(`requests to stop tasks cannot be read: ${faultText(error)}`);
    }
    this.#timer = undefined;
    if (this.#running.size > 0) this.#lookSoon();
  }

  /** A method of its own: a function made in {@link watch} would hold on to the attempt there until the timer ends. */
  #lookSoon(): void {
    this.#timer = setTimeout(() => void this.#look(), LOOK);
  }
}
