import { sleep } from '../core/deadline.js';
import { errorMessage, HubError } from '../core/errors.js';
import type { HubLogger } from '../core/hub-logger.js';
import type { JsonValue } from '../core/json.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { TaskQueuePlugin } from '../taskqueue/taskqueue.plugin.js';
import { START_LEASE, type Claims } from './claims.js';
import type { ExperimentStore } from './experiment-store.js';
import { TAG } from './experiment.tags.js';
import type { ResolvedExperiment, TrainingOutcome } from './experiment.types.js';
import { parseProgress } from './task-contract.js';
import type { TrainingFinisher } from './training-finisher.js';

/** Why following ends early: the reason given to the abort signal. */
export type StopFollowing = 'stop' | 'cancel';

/** First and longest wait before a step is repeated that failed because a backend was away, in ms. */
const RETRY_MS = 500;
const RETRY_MAX_MS = 15_000;

/** The task of a training, followed to its end. */
export interface FollowedTask {
  runId: string;
  taskId: string;
  /** When the training has to have ended, ms since 1970. */
  deadline: number;
}

/**
 * Follows the task of a training: writes its progress as metrics (with the reports' own steps and times, so that a
 * second follower doubles nothing), waits for its end within the deadline, and ends the run. Never rejects.
 */
export class TrainingFollower {
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly tasks: TaskQueuePlugin,
    private readonly store: ExperimentStore,
    private readonly claims: Claims,
    private readonly finisher: TrainingFinisher,
    private readonly logger: HubLogger,
    private readonly now: () => number,
  ) {}

  /** @param signal aborted with a {@link StopFollowing} */
  async follow(experiment: ResolvedExperiment, task: FollowedTask, signal: AbortSignal): Promise<TrainingOutcome> {
    const { runId, taskId } = task;
    const reporting = new AbortController();
    const reports = this.#report(runId, taskId, AbortSignal.any([signal, reporting.signal]));
    try {
      const result = await this.#patiently(task, signal, () => this.#result(task, signal));
      // The last report is read before the run ends; a task that ended reports nothing more.
      await Promise.race([reports, sleep(2_000)]);
      return await this.#patiently({ ...task, deadline: Infinity }, signal, () =>
        this.finisher.finish(experiment, runId, taskId, result, signal),
      );
    } catch (error) {
      return await this.#end(experiment, task, error, signal);
    } finally {
      reporting.abort();
      await reports;
    }
  }

  /** The result of the task, or `TIMEOUT` at the deadline, or `NOT_FOUND` when the task queue has lost it. */
  async #result({ runId, taskId, deadline }: FollowedTask, signal: AbortSignal): Promise<JsonValue> {
    await this.#submitted(runId, taskId, signal);
    const timeout = Math.max(1, deadline - this.now());
    return this.tasks.getResult(taskId, { timeout, signal });
  }

  /** Resolves when the task is (or may be) on the task queue; `NOT_FOUND` when it never got there or is lost. */
  async #submitted(runId: string, taskId: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { tags } = await this.mlops.getRun(runId);
      const known = (await this.tasks.getStatus(taskId)).name !== null;
      // A queue that deduplicates knows every id that it holds; another (Celery) shows waiting tasks as unknown too.
      if (known || (tags[TAG.submitted] !== undefined && !this.tasks.supports.dedup)) return;
      const starter = tags[TAG.starter];
      // Another hub may be about to submit it right now.
      if (tags[TAG.submitted] !== undefined || starter === undefined || this.claims.isGone(starter, START_LEASE)) {
        throw new HubError('NOT_FOUND', `the task queue does not know task ${taskId} (any more).`);
      }
      await sleep(RETRY_MS, signal);
    }
  }

  /** Repeats `step` while the backend is away, until the deadline. */
  async #patiently<T>({ deadline }: FollowedTask, signal: AbortSignal, step: () => Promise<T>): Promise<T> {
    for (let wait = RETRY_MS; ; wait = Math.min(RETRY_MAX_MS, wait * 2)) {
      try {
        return await step();
      } catch (error) {
        if (!HubError.is(error, 'UNAVAILABLE') || this.now() + wait > deadline) throw error;
        this.logger.warn(`a training waits for its backend: ${errorMessage(error)}`);
        await sleep(wait, signal);
      }
    }
  }

  async #report(runId: string, taskId: string, signal: AbortSignal): Promise<void> {
    try {
      for await (const { data, timestamp } of this.tasks.progress(taskId, { signal })) {
        const report = parseProgress(data);
        if (report === null) continue;
        await this.mlops.logMetrics(runId, report.metrics, { step: report.step, timestamp });
      }
    } catch (error) {
      // Progress is for people; the training itself goes on without it.
      if (!signal.aborted) this.logger.warn(`progress of run ${runId} is not recorded: ${errorMessage(error)}`);
    }
  }

  async #end(
    experiment: ResolvedExperiment,
    { runId, taskId }: FollowedTask,
    error: unknown,
    signal: AbortSignal,
  ): Promise<TrainingOutcome> {
    const cancelled = signal.aborted && signal.reason === 'cancel';
    const message = cancelled ? 'cancelled' : errorMessage(error);
    // Closed plugins and backends that stay away are no verdict on the training: recover() goes on with it.
    if ((signal.aborted && !cancelled) || HubError.is(error, 'CLOSED', 'UNAVAILABLE')) return running(runId, message);
    try {
      if (HubError.is(error, 'TIMEOUT')) await this.tasks.cancel(taskId).catch(() => undefined);
      const status = cancelled || HubError.is(error, 'TASK_REVOKED') ? 'KILLED' : 'FAILED';
      await this.store.endFailed(runId, status, message);
      await this.finisher.discard(runId);
      const outcome = await this.finisher.outcomeOf(experiment, await this.mlops.getRun(runId));
      if (outcome.status === 'FAILED') this.logger.warn(`training of ${experiment.name} failed: ${message}`);
      return outcome;
    } catch (second) {
      this.logger.error(`run ${runId} could not be ended: ${errorMessage(second)}`);
      return running(runId, message);
    }
  }
}

function running(runId: string, error: string): TrainingOutcome {
  return { runId, status: 'RUNNING', version: null, decision: null, error };
}
