import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataStreamPlugin } from '../../src/datastream/datastream.plugin.js';
import { LocalDataStreamPlugin } from '../../src/datastream/drivers/local/local.plugin.js';
import { localDataStreamSchema } from '../../src/datastream/drivers/local/local.options.js';
import { validateOptions } from '../../src/core/validate.js';
import { Experiments, type ExperimentDefinition, type ExperimentsOptions } from '../../src/experiment/index.js';
import type { MLOpsPlugin } from '../../src/mlops/mlops.plugin.js';
import { LocalMLOpsPlugin } from '../../src/mlops/drivers/local/local.plugin.js';
import type { LocalTaskQueueOptions } from '../../src/taskqueue/drivers/local/local.options.js';
import { LocalTaskQueuePlugin } from '../../src/taskqueue/drivers/local/local.plugin.js';
import type { TaskQueuePlugin } from '../../src/taskqueue/taskqueue.plugin.js';
import type { TaskHandler } from '../../src/taskqueue/taskqueue.types.js';

/** The toy model: predicts `row + bias`; its quality is its score. */
export interface Toy {
  bias: number;
  quality: number;
}

/** Tasks of the toy experiment; a test replaces single ones. */
export const toyTasks: Record<'train' | 'predict' | 'evaluate', TaskHandler> = {
  train: async ({ kwargs, progress }) => {
    await progress({ step: 1, metrics: { loss: 0.5 } });
    await progress({ step: 2, metrics: { loss: 0.25 } });
    return { model: { json: kwargs['data'] ?? null }, metrics: { trained: 1 }, params: { chosen: 'yes' } };
  },
  predict: async ({ kwargs }) => {
    const { bias } = await load(kwargs['model']);
    const rows = kwargs['rows'] as number[];
    return rows.map((row) => {
      if (typeof row !== 'number') throw new Error('a row has to be a number');
      return row + bias;
    });
  },
  evaluate: async ({ kwargs }) => {
    const models = kwargs['models'] as unknown[];
    return { scores: (await Promise.all(models.map(load))).map(({ quality }) => quality) };
  },
};

/** The toy experiment, with changes. */
export function toy(changes: Partial<ExperimentDefinition> = {}): ExperimentDefinition {
  return {
    name: 'toy',
    tasks: { train: 'toy.train', predict: 'toy.predict', evaluate: 'toy.evaluate' },
    data: { bias: 1, quality: 0.5 },
    ...changes,
  };
}

/** Three open local plugins in one folder, and the means to make hubs on them. */
export class Stack {
  readonly #hubs: Experiments[] = [];
  mlops!: MLOpsPlugin;
  stream!: DataStreamPlugin;
  tasks!: TaskQueuePlugin;

  private constructor(readonly dataDir: string) {}

  static async open(
    tasks: Partial<typeof toyTasks> = {},
    options: Partial<LocalTaskQueueOptions> = {},
  ): Promise<Stack> {
    const stack = new Stack(await mkdtemp(join(tmpdir(), 'hub-experiment-')));
    await stack.openPlugins(tasks, options);
    return stack;
  }

  /** @param options of the task queue */
  async openPlugins(tasks: Partial<typeof toyTasks> = {}, options: Partial<LocalTaskQueueOptions> = {}): Promise<void> {
    const { dataDir } = this;
    this.mlops = new LocalMLOpsPlugin({ dataDir });
    this.stream = new LocalDataStreamPlugin(
      validateOptions(localDataStreamSchema, { dataDir }, { what: 'datastream' }),
    );
    this.tasks = new LocalTaskQueuePlugin({ dataDir, killGrace: 100, ...options });
    await Promise.all([this.mlops.initialize(), this.stream.initialize(), this.tasks.initialize()]);
    for (const [name, handler] of Object.entries({ ...toyTasks, ...tasks })) {
      await this.tasks.registerTask(`toy.${name}`, handler);
    }
  }

  /** A hub of its own on the open plugins. */
  hub(definition: ExperimentDefinition = toy(), options: ExperimentsOptions = {}, mlops = this.mlops): Experiments {
    const hub = new Experiments(mlops, this.stream, this.tasks, {
      workDir: join(this.dataDir, 'work'),
      tick: 50,
      ...options,
    });
    hub.define(definition);
    this.#hubs.push(hub);
    return hub;
  }

  async closePlugins(): Promise<void> {
    for (const hub of this.#hubs.splice(0)) await hub.stop();
    for (const plugin of [this.stream, this.tasks, this.mlops]) await plugin.shutdown();
  }

  async close(): Promise<void> {
    await this.closePlugins();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

async function load(model: unknown): Promise<Toy> {
  const { path } = model as { path: string };
  return JSON.parse(await readFile(join(path, 'model.json'), 'utf8')) as Toy;
}
