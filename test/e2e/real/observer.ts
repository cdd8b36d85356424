import { join } from 'node:path';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataStreamModule, DataStreamPlugin } from '../../../src/datastream/index.js';
import type { PredictionMessage } from '../../../src/experiment/index.js';
import { MLOpsModule, MLOpsPlugin } from '../../../src/mlops/index.js';
import type { ModelVersion, Run } from '../../../src/mlops/mlops.types.js';
import { TaskQueueModule, TaskQueuePlugin } from '../../../src/taskqueue/index.js';
import type { RealStack } from '../../support/real-stack.js';

/** Looks at a stack from outside of the hubs on it, sends rows and keeps the ledger of their predictions. */
export class Observer {
  /** The prediction of each row, by message id. */
  readonly predicted = new Map<string, PredictionMessage>();
  /** Predictions that came a second time. */
  repeats = 0;

  private constructor(
    private readonly app: INestApplicationContext,
    readonly mlops: MLOpsPlugin,
    readonly stream: DataStreamPlugin,
    readonly tasks: TaskQueuePlugin,
  ) {}

  static async open(stack: RealStack): Promise<Observer> {
    const { mlops, datastream, taskqueue } = stack.config([], join('observer')).plugins ?? {};
    @Module({
      imports: [
        MLOpsModule.forRoot(mlops ?? {}),
        DataStreamModule.forRoot(datastream ?? {}),
        TaskQueueModule.forRoot(taskqueue ?? {}),
      ],
    })
    class ObserverModule {}
    const app = await NestFactory.createApplicationContext(ObserverModule, { logger: ['error'], abortOnError: false });
    return new Observer(app, app.get(MLOpsPlugin), app.get(DataStreamPlugin), app.get(TaskQueuePlugin));
  }

  /** Takes every prediction that comes into a queue. */
  async watch(queue: string): Promise<void> {
    await this.stream.createQueue(queue).catch(() => undefined);
    await this.stream.subscribe(
      queue,
      ({ messageId, payload }) => {
        if (this.predicted.has(messageId)) this.repeats += 1;
        this.predicted.set(messageId, payload as PredictionMessage);
      },
      { concurrency: 20 },
    );
  }

  /** Sends rows; resolves when the broker has them all. */
  async send(queue: string, rows: readonly number[][], idOf: (index: number) => string): Promise<void> {
    await this.stream.sendBatch(
      queue,
      rows.map((payload, index) => ({ payload, messageId: idOf(index) })),
    );
  }

  /** Every run of an experiment. */
  async runs(name: string): Promise<Run[]> {
    const experimentIds = [await this.mlops.ensureExperiment(name)];
    const found: Run[] = [];
    for await (const run of this.mlops.searchRuns({ experimentIds })) found.push(run);
    return found;
  }

  /** Every version of a model, the first one first. */
  async versions(name: string): Promise<ModelVersion[]> {
    const found: ModelVersion[] = [];
    for await (const version of this.mlops.searchModelVersions({ filter: `name = '${name}'` })) found.push(version);
    return found.sort((a, b) => Number(a.version) - Number(b.version));
  }

  async close(): Promise<void> {
    await this.app.close();
  }
}
