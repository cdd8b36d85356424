import {
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { errorMessage } from '../core/errors.js';
import { PluginRegistry } from '../core/plugin-registry.js';
import { Experiments } from '../experiment/index.js';

const PLUGIN_TYPES = ['mlops', 'datastream', 'taskqueue'] as const;

/** Starts and stops the background work of the experiments with the application. */
@Injectable()
export class ExperimentsLifecycle implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown {
  #stopping: Promise<void> | undefined;

  constructor(
    private readonly experiments: Experiments,
    private readonly registry: PluginRegistry,
  ) {}

  /** Recovers trainings and starts streams as soon as all three plugins are up, which an optional one may be later. */
  async onApplicationBootstrap(): Promise<void> {
    const entries = PLUGIN_TYPES.map((type) => this.registry.find(type));
    // Experiments need all three; with one switched off they answer PLUGIN_DISABLED when they are asked for.
    if (entries.includes(undefined)) return;
    const [mlops, stream, tasks] = entries;
    await mlops?.whenUp(() => stream?.whenUp(() => tasks?.whenUp(() => this.start())));
  }

  onModuleDestroy(): void {
    this.#stopping ??= this.stop();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#stopping;
  }

  private async start(): Promise<void> {
    if (this.#stopping !== undefined) return;
    try {
      const recovered = await this.experiments.recover();
      if (recovered.length > 0) this.registry.logger.log(`going on with ${recovered.length} training(s).`);
      await this.experiments.startConsumers();
    } catch (error) {
      this.registry.logger.error(`experiments did not start: ${errorMessage(error)}`);
    }
  }

  private async stop(): Promise<void> {
    try {
      // A training in flight is the task queue's to finish or to run again; the next process goes on following it.
      await this.experiments.stop();
    } catch (error) {
      this.registry.logger.error(`experiments did not stop: ${errorMessage(error)}`);
    }
  }
}
