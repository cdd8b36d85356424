import { sleep } from '../core/deadline.js';
import { errorMessage, HubError } from '../core/errors.js';
import type { HubLogger } from '../core/hub-logger.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { TaskQueuePlugin } from '../taskqueue/taskqueue.plugin.js';
import type { Claims } from './claims.js';
import type { ExperimentStore } from './experiment-store.js';
import { TAG } from './experiment.tags.js';
import type { ResolvedExperiment, TrainingOutcome } from './experiment.types.js';
import { parseProgress } from './task-contract.js';
import type { TrainingFinisher } from './training-finisher.js';
import type { TrainingSubmitter, TrainingTask } from './training-submitter.js';

/** What a hub claims on the run of a training: to be the one that follows its task and ends it. */
export const FOLLOW = 'follow';

/** Why following ends early: the reason given to the abort signal. */
export type StopFollowing = 'stop' | 'cancel' | 'lost';

/** First and longest wait before a step is repeated that failed because a backend was away, in ms. */
const RETRY_MS = 500;
const RETRY_MAX_MS = 15_000;
/** How often a hub looks how a training goes on that another one follows, in ms. */
const WATCH_MS = 1_000;
/** How long a task has after a cancel to stop by itself, before its follower ends the training without it, in ms. */
const CANCEL_GRACE_MS = 5_000;

/**
 * Follows the task of a training: writes its progress as metrics (with the reports' own steps and times, so that a
 * second follower doubles nothing), waits for its end within the deadline, and ends the run. Of several hubs one does
 * this; the others watch, and one of them takes over when it dies. Never rejects.
 */
export class TrainingFollower {
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly tasks: TaskQueuePlugin,
    private readonly store: ExperimentStore,
    private readonly claims: Claims,
    private readonly submitter: TrainingSubmitter,
    private readonly finisher: TrainingFinisher,
    private readonly logger: HubLogger,
    private readonly now: () => number,
  ) {}

  /** @param signal aborted with a {@link StopFollowing} */
  async follow(experiment: ResolvedExperiment, task: TrainingTask, signal: AbortSignal): Promise<TrainingOutcome> {
    const { runId } = task;
    try {
      for (;;) {
        const outcome = await this.#patiently(Infinity, signal, async () => {
          const run = await this.mlops.getRun(runId);
          if (run.status !== 'RUNNING') return this.finisher.outcomeOf(experiment, run);
          return (await this.claims.claim(runId, FOLLOW)) ? this.#lead(experiment, task, signal) : null;
        });
        if (outcome !== null) return outcome;
        await sleep(WATCH_MS, signal);
      }
    } catch (error) {
      // The one that leads ends the run; who only watches has nothing to say about it.
      return running(runId, errorMessage(error));
    }
  }

  /** Follows the task as the one hub that does; `null` when another one has taken over. */
  async #lead(experiment: ResolvedExperiment, task: TrainingTask, outer: AbortSignal): Promise<TrainingOutcome | null> {
    const { runId, taskId } = task;
    const inner = new AbortController();
    const hold = this.claims.hold(runId, FOLLOW, ({ tags }) => {
      // Asked for by another hub, which has cancelled the task itself; this is for a task that does not listen.
      const requested = tags[TAG.cancelRequested];
      if (requested !== undefined && this.now() - Date.parse(requested) > CANCEL_GRACE_MS) {
        inner.abort('cancel' satisfies StopFollowing);
      }
    });
    hold.lost.addEventListener('abort', () => inner.abort('lost' satisfies StopFollowing), { once: true });
    const signal = AbortSignal.any([outer, inner.signal]);
    const reporting = new AbortController();
    let reports: Promise<void> = Promise.resolve();
    let outcome: TrainingOutcome | null = null;
    try {
      await this.#patiently(task.deadline, signal, () => this.#submitted(experiment, task));
      reports = this.#report(runId, taskId, AbortSignal.any([signal, reporting.signal]));
      const result = await this.#patiently(task.deadline, signal, () => {
        const timeout = Math.max(1, task.deadline - this.now());
        return this.tasks.getResult(taskId, { timeout, signal });
      });
      // The last report is read before the run ends; a task that ended reports nothing more.
      await Promise.race([reports, sleep(2_000)]);
      outcome = await this.#patiently(Infinity, signal, () =>
        this.finisher.finish(experiment, runId, taskId, result, signal),
      );
    } catch (error) {
      if (!hold.lost.aborted) outcome = await this.#end(experiment, task, error, signal);
    } finally {
      reporting.abort();
      await reports;
      if (outcome?.status === 'RUNNING') await hold.release();
      else hold.end();
    }
    return outcome;
  }

  /** Resolves when the task is on the task queue; `NOT_FOUND` when it is lost, or its request was never stored. */
  async #submitted(experiment: ResolvedExperiment, task: TrainingTask): Promise<void> {
    const run = await this.mlops.getRun(task.runId);
    const submitted = run.tags[TAG.submitted] !== undefined;
    // A queue that deduplicates knows every id that it holds; another (Celery) shows waiting tasks as unknown too.
    if (submitted && !this.tasks.supports.dedup) return;
    if ((await this.tasks.getStatus(task.taskId)).name !== null) return;
    if (submitted) throw new HubError('NOT_FOUND', `the task queue does not know task ${task.taskId} any more.`);
    // Its hub died on the way to the queue: at most the task is there twice, with one id.
    await this.submitter.submit(experiment, task, await this.store.loadRequest(run));
  }

  /** Repeats `step` while the backend is away, until the deadline (ms since 1970). */
  async #patiently<T>(deadline: number, signal: AbortSignal, step: () => Promise<T>): Promise<T> {
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
    { runId, taskId }: TrainingTask,
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
      await this.store.endFailed(experiment.name, runId, status, message);
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
