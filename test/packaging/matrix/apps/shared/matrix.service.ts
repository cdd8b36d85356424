import { Injectable } from '@nestjs/common';
import { DataStreamPlugin, MLOpsPlugin, Task, TaskQueuePlugin } from 'nestjs-experiment-hub';
import type { TaskContext } from 'nestjs-experiment-hub';

/** Gets the three tokens by the types of its constructor and uses each once. */
@Injectable()
export class MatrixService {
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly stream: DataStreamPlugin,
    private readonly tasks: TaskQueuePlugin,
  ) {}

  /** Logs a metric and reads it back. */
  async metric(): Promise<number | undefined> {
    const run = await this.mlops.startRun(await this.mlops.createExperiment('matrix'));
    await this.mlops.logMetric(run.runId, 'accuracy', 0.75);
    await this.mlops.endRun(run.runId);
    for await (const { value } of this.mlops.getMetricHistory(run.runId, 'accuracy')) return value;
    return undefined;
  }

  /** Sends a message and pulls it. */
  async message(): Promise<unknown> {
    await this.stream.createQueue('matrix');
    await this.stream.sendData('matrix', { row: 1 });
    const delivery = await this.stream.pullData('matrix', { wait: 5_000 });
    await delivery?.ack();
    return delivery?.payload;
  }

  /** Runs a task on the event loop. */
  async taskInProcess(): Promise<unknown> {
    return this.tasks.getResult(await this.tasks.submitTask('matrix.double', { args: [21] }), { timeout: 20_000 });
  }

  /** Runs a task of a module in a worker thread. @param module built JavaScript */
  async taskInThread(module: URL): Promise<unknown> {
    await this.tasks.registerTasks(module);
    return this.tasks.getResult(await this.tasks.submitTask('matrix.thread'), { timeout: 20_000 });
  }

  @Task('matrix.double')
  double({ args }: TaskContext): number {
    return Number(args[0]) * 2;
  }
}
