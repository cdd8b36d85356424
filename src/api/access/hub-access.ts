import { ForbiddenException, Inject, Injectable } from '@nestjs/common';
import { HubError } from '../../core/errors.js';
import { ExperimentHub } from '../../hub/experiment-hub.js';
import type { Experiments } from '../../experiment/index.js';
import type { MLOpsPlugin } from '../../mlops/mlops.plugin.js';
import type { Run } from '../../mlops/mlops.types.js';
import type { DataStreamPlugin } from '../../datastream/datastream.plugin.js';
import type { TaskQueuePlugin } from '../../taskqueue/taskqueue.plugin.js';
import type { TaskStatus } from '../../taskqueue/taskqueue.types.js';
import { HUB_API_OPTIONS, isAllowed, type HubApiQueues, type ResolvedHubApiOptions } from '../api.options.js';

/** The hub's parts, and what of them the API may touch. @internal */
@Injectable()
export class HubApiAccess {
  constructor(
    @Inject(ExperimentHub) private readonly hub: ExperimentHub,
    @Inject(HUB_API_OPTIONS) private readonly options: ResolvedHubApiOptions,
  ) {}

  get experiments(): Experiments {
    return this.hub.experiments;
  }

  get mlops(): MLOpsPlugin {
    return this.hub.getPlugin('mlops');
  }

  get tasks(): TaskQueuePlugin {
    return this.hub.getPlugin('taskqueue');
  }

  /** The run, when it is one of the experiment's. `NOT_FOUND` otherwise, as for a run that does not exist. */
  async run(name: string, runId: string): Promise<Run> {
    this.experiments.get(name);
    const experiment = await this.mlops.getExperimentByName(name);
    const run = experiment === null ? null : await this.mlops.getRun(runId);
    if (run !== null && run.experimentId === experiment?.experimentId) return run;
    throw new HubError('NOT_FOUND', `experiment ${JSON.stringify(name)} has no run ${JSON.stringify(runId)}.`);
  }

  /** 403 unless the option `tasks` lets tasks of that name be submitted. */
  assertSubmit(name: string): void {
    if (isAllowed(this.options.tasks, name)) return;
    throw new ForbiddenException(`Tasks of the name ${JSON.stringify(name)} cannot be submitted here.`);
  }

  /** Status of a task that may be followed. `NOT_FOUND` for an id that the task queue does not know, 403 for others' tasks. */
  async taskStatus(taskId: string): Promise<TaskStatus> {
    const status = await this.tasks.getStatus(taskId);
    const { name, state } = status;
    if (name === null && state === 'PENDING') {
      throw new HubError('NOT_FOUND', `there is no task ${JSON.stringify(taskId)}.`);
    }
    if (this.options.tasks === 'any' || (name !== null && this.#isFollowed(name))) return status;
    throw new ForbiddenException(`The task ${JSON.stringify(taskId)} cannot be followed here.`);
  }

  /** The data stream, when the option `queues` allows this with that queue; 403 otherwise, whether it exists or not. */
  stream(queue: string, use: keyof HubApiQueues): DataStreamPlugin {
    if (isAllowed(this.options.queues[use], queue)) return this.hub.getPlugin('datastream');
    throw new ForbiddenException(
      `The option queues.${use} does not allow this with the queue ${JSON.stringify(queue)}.`,
    );
  }

  #isFollowed(name: string): boolean {
    if (isAllowed(this.options.tasks, name)) return true;
    return this.experiments.list().some((experiment) => {
      const { train, predict, evaluate } = this.experiments.get(experiment).tasks;
      return [train, predict, evaluate].includes(name);
    });
  }
}
