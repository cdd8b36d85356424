import { randomUUID } from 'node:crypto';
import { sleep, withDeadline } from '../core/deadline.js';
import { errorMessage, HubError } from '../core/errors.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { Run } from '../mlops/mlops.types.js';
import type { CancelOutcome } from '../taskqueue/taskqueue.types.js';
import type { TaskQueuePlugin } from '../taskqueue/taskqueue.plugin.js';
import type { Claims } from './claims.js';
import { triggerOf, type ExperimentStore } from './experiment-store.js';
import { KIND, TAG } from './experiment.tags.js';
import type { ExperimentTelemetry } from './experiment.telemetry.js';
import type {
  ResolvedExperiment,
  Training,
  TrainingOutcome,
  TrainingTrigger,
  TrainOptions,
} from './experiment.types.js';
import { Serial } from './serial.js';
import { FOLLOW, type StopFollowing, type TrainingFollower } from './training-follower.js';
import type { TrainingSubmitter, TrainingTask } from './training-submitter.js';

/** How long `cancel` waits for a running task to stop before the training ends without it, in ms. */
const CANCEL_WAIT = 5_000;
/** What identifies a command of the caller. */
const TRIGGER_ID = /^[A-Za-z0-9_.-]{1,128}$/;

/** How long past its deadline a run counts as in flight although this hub does not follow it, in ms. */
const STALE_MARGIN = 60_000;

/**
 * Whether a training that a hub begins by itself is still wanted, given all trainings of the experiment. Asked when
 * nothing can come between the answer and the beginning, so that of several hubs with the same reason one begins.
 */
export type StillWanted = (trainings: readonly Run[]) => Promise<boolean> | boolean;

interface Followed {
  training: Training;
  stop: AbortController;
}

/** Begins trainings, one at a time per experiment, and has them followed to their end. */
export class Trainer {
  readonly #followed = new Map<string, Followed>();
  readonly #serial = new Serial();
  #stopping = false;

  /** @param onEnd called after each training, when the alias may have been moved */
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly tasks: TaskQueuePlugin,
    private readonly store: ExperimentStore,
    private readonly claims: Claims,
    private readonly submitter: TrainingSubmitter,
    private readonly follower: TrainingFollower,
    private readonly telemetry: ExperimentTelemetry,
    private readonly now: () => number,
    private readonly onEnd: () => void,
  ) {}

  /**
   * Begins a training and resolves when its task is submitted. The same `triggerId` again gives the training that it
   * began. `CONFLICT` while another one is in flight, on this or another hub, or when it is no longer wanted;
   * `INVALID_ARGUMENT` for a bad `triggerId`.
   */
  async begin(
    experiment: ResolvedExperiment,
    reason: TrainingTrigger['reason'],
    options: TrainOptions,
    wanted: StillWanted = () => true,
  ): Promise<Training> {
    checkTriggerId(options.triggerId);
    return this.telemetry.begin(experiment, reason, () => this.#begin(experiment, reason, options, wanted));
  }

  async #begin(
    experiment: ResolvedExperiment,
    reason: TrainingTrigger['reason'],
    options: TrainOptions,
    wanted: StillWanted,
  ): Promise<Training> {
    return this.#serial.run(experiment.name, async () => {
      if (this.#stopping) throw new HubError('CLOSED', 'the hub is shutting down; no training is begun.');
      const trigger = { id: options.triggerId ?? randomUUID(), reason, at: options.at ?? this.now() };
      const trainings = await this.store.trainings(experiment.name, 'ALL');
      const same = trainings.find((run) => run.tags[TAG.triggerId] === trigger.id);
      if (same !== undefined) return this.adopt(experiment, same);
      await this.#ensureNoneInFlight(experiment, trainings);
      if (!(await wanted(trainings))) throw noLongerWanted(experiment.name);
      // Numbered by the trainings before it: of two hubs that saw the same ones, both want the same number.
      const control = await this.store.controlRun(experiment.name);
      const work = `training-${trainings.length + 1}`;
      if (!(await this.claims.claim(control, work))) {
        throw inFlight(experiment.name, 'another hub begins one right now');
      }
      return this.#start(experiment, trigger, options, () => this.claims.isMine(control, work));
    });
  }

  /** Follows a training that is not followed yet; one that has ended is given with its outcome. */
  adopt(experiment: ResolvedExperiment, run: Run): Training {
    const known = this.#followed.get(run.runId);
    if (known !== undefined) return known.training;
    const deadline = Number(run.tags[TAG.deadline] ?? this.now());
    return this.#follow(
      experiment,
      { runId: run.runId, taskId: run.tags[TAG.taskId] ?? '', deadline },
      triggerOf(run),
      run,
    );
  }

  /** Follows the trainings of an experiment that run and that nobody here follows yet: their hub may have died. */
  async adoptAll(experiment: ResolvedExperiment): Promise<Training[]> {
    if (this.#stopping) return [];
    const running = (await this.store.trainings(experiment.name)).filter(
      ({ runId, status }) => status === 'RUNNING' && !this.#followed.has(runId),
    );
    return running.map((run) => this.adopt(experiment, run));
  }

  /** The run that is in flight, on whichever hub, or `null`. */
  async inFlight(experiment: ResolvedExperiment): Promise<Run | null> {
    const running = (await this.store.trainings(experiment.name)).find((run) => run.status === 'RUNNING');
    return running ?? null;
  }

  /**
   * Cancels the training in flight: its task is cancelled and its run ends KILLED, at the latest after a few seconds,
   * also when the task does not listen; within half a minute when another hub follows it. `finished` when none is in
   * flight.
   */
  async cancel(experiment: ResolvedExperiment): Promise<CancelOutcome> {
    const run = await this.inFlight(experiment);
    if (run === null) return 'finished';
    const { runId, tags } = run;
    await this.mlops.setTag(runId, TAG.cancelRequested, new Date(this.now()).toISOString());
    const outcome = await this.tasks.cancel(tags[TAG.taskId] ?? '').catch((error: unknown): CancelOutcome => {
      if (HubError.is(error, 'NOT_FOUND')) return 'cancelled';
      throw error;
    });
    const followed = this.#followed.get(runId);
    if (followed !== undefined) {
      await Promise.race([followed.training.done, sleep(CANCEL_WAIT)]);
      followed.stop.abort('cancel' satisfies StopFollowing);
      await followed.training.done;
    }
    return outcome;
  }

  /** Stops following after `timeout` ms at most; what is left goes on by `recover()` of the next hub. */
  async stop(timeout: number): Promise<void> {
    this.#stopping = true;
    const all = Promise.all([...this.#followed.values()].map(({ training }) => training.done));
    await withDeadline(all, Math.max(1, timeout)).catch(() => undefined);
    for (const { stop } of this.#followed.values()) stop.abort('stop' satisfies StopFollowing);
    await all;
  }

  async #ensureNoneInFlight(experiment: ResolvedExperiment, trainings: readonly Run[]): Promise<void> {
    for (const run of trainings) {
      if (run.status !== 'RUNNING' || run.lifecycleStage !== 'active') continue;
      const deadline = Number(run.tags[TAG.deadline] ?? 0);
      if (!this.#followed.has(run.runId) && this.now() > deadline + experiment.timeouts.evaluate + STALE_MARGIN) {
        // Its hub is gone and nobody recovered it: it must not block the experiment for ever.
        await this.store.endFailed(experiment.name, run.runId, 'FAILED', 'no hub followed it to its end');
        continue;
      }
      throw inFlight(experiment.name, `run ${run.runId}`);
    }
  }

  /** @param isMine whether this hub is still the one that begins: it may have been frozen and taken for dead */
  async #start(
    experiment: ResolvedExperiment,
    trigger: TrainingTrigger,
    options: TrainOptions,
    isMine: () => Promise<boolean>,
  ): Promise<Training> {
    const { name, timeouts } = experiment;
    const params = { ...experiment.params, ...options.params };
    const request = { trigger, params, data: options.data ?? experiment.data };
    const taskId = randomUUID();
    const deadline = this.now() + timeouts.train;
    // All that another hub needs to go on is on the run from its first moment, so that this one may die at any other.
    const { runId } = await this.mlops.startRun(await this.store.experimentId(name), {
      params: { ...params, ...this.claims.first(FOLLOW) },
      tags: {
        [TAG.kind]: KIND.training,
        [TAG.triggerId]: trigger.id,
        [TAG.triggerReason]: trigger.reason,
        [TAG.triggerAt]: trigger.at,
        [TAG.taskId]: taskId,
        [TAG.deadline]: deadline,
        ...this.store.requestTags(request),
        ...this.telemetry.tags(),
      },
    });
    try {
      await this.store.saveRequest(runId, request);
      if (!(await isMine())) throw inFlight(name, 'another hub has begun one meanwhile');
      await this.submitter.submit(experiment, { runId, taskId, deadline }, request);
      this.telemetry.started(experiment, trigger);
    } catch (error) {
      await this.store.endFailed(name, runId, 'FAILED', errorMessage(error)).catch(() => undefined);
      throw error;
    }
    return this.#follow(experiment, { runId, taskId, deadline }, trigger);
  }

  /** @param run the run of a training that another hub, or an earlier process, has begun */
  #follow(experiment: ResolvedExperiment, task: TrainingTask, trigger: TrainingTrigger, run?: Run): Training {
    const stop = new AbortController();
    const follow = (): Promise<TrainingOutcome> => this.follower.follow(experiment, task, stop.signal);
    const isOver = run !== undefined && run.status !== 'RUNNING';
    const followed = isOver ? follow() : this.telemetry.follow(experiment, task.runId, run, follow);
    const done: Promise<TrainingOutcome> = followed.finally(() => {
      this.#followed.delete(task.runId);
      this.onEnd();
    });
    const training: Training = { runId: task.runId, taskId: task.taskId, trigger, done };
    this.#followed.set(task.runId, { training, stop });
    return training;
  }
}

function checkTriggerId(id: unknown): void {
  if (id === undefined || (typeof id === 'string' && TRIGGER_ID.test(id))) return;
  throw new HubError('INVALID_ARGUMENT', 'triggerId has to be 1 to 128 letters, digits, "_", "-" or ".".');
}

function noLongerWanted(name: string): HubError {
  return new HubError('CONFLICT', `a training of experiment ${JSON.stringify(name)} is no longer wanted.`);
}

function inFlight(name: string, which: string): HubError {
  return new HubError('CONFLICT', `a training of experiment ${JSON.stringify(name)} is in flight (${which}).`);
}
