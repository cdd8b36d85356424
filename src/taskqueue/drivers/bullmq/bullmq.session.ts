import { withDeadline } from '../../../core/deadline.js';
import type { HubErrorOptions } from '../../../core/errors.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import { faultText, RedisClients, redisMemory } from '../../../redis/index.js';
import { InProcessRunner } from '../../runner/in-process-runner.js';
import { ThreadPool } from '../../runner/thread-pool.js';
import type { BullMQOptions } from './bullmq.options.js';
import { JobFollower } from './job-follower.js';
import { JobStore } from './job-store.js';
import { RunSlots } from './run-slots.js';
import { WorkForce } from './work-force.js';

/** How long closing in good order may take, in ms, and how long while Redis is away. */
const CLOSE_DEADLINE = 3_000;
const CLOSE_DEADLINE_AWAY = 250;

/** What is open between `initialize()` and `shutdown()`. */
export class BullMQSession {
  readonly store: JobStore;
  readonly follower: JobFollower;
  readonly work: WorkForce;
  readonly inProcess: RunSlots;
  readonly threads: RunSlots<ThreadPool>;

  private constructor(
    readonly clients: RedisClients,
    options: BullMQOptions,
    private readonly logger: StoreLogger,
    source: HubErrorOptions,
  ) {
    this.store = new JobStore(clients, options, source, (error) => {
      // An outage is told once, by the connection.
      if (clients.up) logger.debug(`queue: ${faultText(error)}`);
    });
    this.follower = new JobFollower(this.store, clients, options.prefix, logger);
    this.work = new WorkForce(options, clients, this.store, logger, source, (taskId, result) =>
      this.follower.completed(taskId, result),
    );
    this.inProcess = new RunSlots('event loop', new InProcessRunner(source), options.concurrency);
    this.threads = new RunSlots('threads', new ThreadPool(source), options.workerThreads);
  }

  /**
   * Connects. Leaves nothing open when it rejects.
   * @param given a connection of the application's that leads to Redis, in place of what the options say of it
   */
  static async open(
    options: BullMQOptions,
    logger: StoreLogger,
    source: HubErrorOptions,
    given?: object,
  ): Promise<BullMQSession> {
    const clients = new RedisClients(options, `${options.prefix}:hub`, logger, source, given);
    await clients.open();
    const session = new BullMQSession(clients, options, logger, source);
    await session.#checkServer();
    return session;
  }

  /** Workers first: what they run may still submit. */
  async drain(): Promise<void> {
    await this.work.drain();
  }

  /** Abandons what runs, tells who waits, and closes every connection, also while Redis is away. */
  async close(): Promise<void> {
    const parts = Promise.all([this.work.stop(), this.follower.close(), this.store.close()]);
    // BullMQ waits for the end of connections, which one that is being made again does not have.
    await withDeadline(parts, this.clients.up ? CLOSE_DEADLINE : CLOSE_DEADLINE_AWAY).catch(() => undefined);
    await this.threads.runner.close();
    await this.clients.close();
  }

  /** A server that throws keys away loses tasks without a word: that is said at the start. */
  async #checkServer(): Promise<void> {
    try {
      const { policy } = await redisMemory(this.clients.command);
      if (policy === undefined || policy === 'noeviction') return;
      this.logger.warn(
        `Redis has maxmemory-policy ${policy}: when its memory is full it deletes tasks. Set it to noeviction.`,
      );
    } catch (error) {
      // A server that does not tell is no reason not to work.
      this.logger.debug(`the server does not tell its maxmemory-policy: ${faultText(error)}`);
    }
  }
}
