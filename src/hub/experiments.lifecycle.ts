import {
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { sleep, withDeadline } from '../core/deadline.js';
import { errorMessage } from '../core/errors.js';
import { PluginRegistry } from '../core/plugin-registry.js';
import { retryDelay } from '../core/retry.js';
import { Experiments } from '../experiment/index.js';

const PLUGIN_TYPES = ['mlops', 'datastream', 'taskqueue'] as const;

/** Backoff of a start that failed. */
const START_AGAIN = { delay: 1_000, factor: 2, maxDelay: 30_000, jitter: 0.2 };

/** How long a shutdown waits for a start that is under way, in ms. */
const START_WAIT = 5_000;

/** Starts and stops the background work of the experiments with the application. */
@Injectable()
export class ExperimentsLifecycle implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown {
  readonly #closing = new AbortController();
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(
    private readonly experiments: Experiments,
    private readonly registry: PluginRegistry,
  ) {}

  /**
   * Recovers trainings and starts streams as soon as all three plugins are up, which an optional one may be later. What
   * fails is tried again until it works or the application closes.
   */
  async onApplicationBootstrap(): Promise<void> {
    const entries = PLUGIN_TYPES.map((type) => this.registry.find(type));
    // Experiments need all three; with one switched off they answer PLUGIN_DISABLED when they are asked for.
    if (entries.includes(undefined)) return;
    const [mlops, stream, tasks] = entries;
    await mlops?.whenUp(() => stream?.whenUp(() => tasks?.whenUp(() => this.start())));
  }

  onModuleDestroy(): void {
    this.#closing.abort();
    this.#stopping ??= this.stop();
  }

  /** Waits for the rows in hand, at most until the shutdown deadline. */
  async beforeApplicationShutdown(): Promise<void> {
    if (this.#stopping === undefined) return;
    const left = (this.registry.shutdownDeadline ?? Date.now() + this.registry.shutdownTimeout) - Date.now();
    try {
      await withDeadline(this.#stopping, Math.max(0, left));
    } catch {
      this.registry.logger.error('experiments: work in hand did not end within shutdownTimeout and was abandoned.');
    }
  }

  /** The first attempt is part of the boot, so that queues exist when the application listens; the others are not. */
  private async start(): Promise<void> {
    if (this.#starting !== undefined || this.#closing.signal.aborted) return;
    const first = this.attempt();
    this.#starting = first.then((started) => (started ? undefined : this.startAgain()));
    await first;
  }

  private async startAgain(): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 1; ; attempt += 1) {
      await sleep(retryDelay(START_AGAIN, attempt), signal).catch(() => undefined);
      if (signal.aborted) return;
      if (!(await this.attempt())) continue;
      this.registry.logger.log(`experiments are up after ${attempt} more attempt(s).`);
      return;
    }
  }

  /** Whether no further attempt is needed. Safe to repeat; never rejects. */
  private async attempt(): Promise<boolean> {
    try {
      const recovered = await this.experiments.recover();
      // SIGTERM may come at any time, and nothing may begin after it.
      if (this.#closing.signal.aborted) return true;
      if (recovered.length > 0) this.registry.logger.log(`going on with ${recovered.length} training(s).`);
      await this.experiments.startConsumers();
      return true;
    } catch (error) {
      if (this.#closing.signal.aborted) return true;
      this.registry.logger.error(`experiments did not start; trying again. ${errorMessage(error)}`);
      return false;
    }
  }

  private async stop(): Promise<void> {
    try {
      // What starts while it is being stopped would be left running.
      if (this.#starting !== undefined) await withDeadline(this.#starting, START_WAIT).catch(() => undefined);
      // A training in flight is the task queue's to finish or to run again; the next process goes on following it.
      await this.experiments.stop();
    } catch (error) {
      this.registry.logger.error(`experiments did not stop: ${errorMessage(error)}`);
    }
  }
}
