import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { TaskQueuePlugin } from '../taskqueue/taskqueue.plugin.js';
import { TAG } from './experiment.tags.js';
import type { ResolvedExperiment } from './experiment.types.js';
import type { ModelFiles } from './model-files.js';
import type { TrainingRequest, TrainKwargs } from './task-contract.js';

/** The task of a training. */
export interface TrainingTask {
  runId: string;
  taskId: string;
  /** When the training has to have ended, ms since 1970. */
  deadline: number;
}

/** Submits the train task of a run: by the hub that began it, or by the one that takes over from it. */
export class TrainingSubmitter {
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly tasks: TaskQueuePlugin,
    private readonly files: ModelFiles,
    private readonly now: () => number,
  ) {}

  /** Resolves when the queue has confirmed the task. Again: the same task id, so that the queue, or the task, sees it. */
  async submit(
    { name, tasks }: ResolvedExperiment,
    { runId, taskId, deadline }: TrainingTask,
    { trigger, params, data }: TrainingRequest,
  ): Promise<void> {
    const outputDir = await this.files.outputDir(runId);
    const kwargs: TrainKwargs = { experiment: name, runId, trigger: { ...trigger }, params, data, outputDir };
    const left = Math.max(1, deadline - this.now());
    await this.tasks.submitTask(tasks.train, {
      taskId,
      kwargs,
      expires: left,
      timeLimit: left,
      headers: { hub_run_id: runId },
      ...(tasks.queue === undefined ? {} : { queue: tasks.queue }),
    });
    await this.mlops.setTag(runId, TAG.submitted, new Date(this.now()).toISOString());
  }
}
