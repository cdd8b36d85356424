import { DelayedError, type Job } from 'bullmq';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import { faultText } from '../../../redis/index.js';
import type { JobStore } from './job-store.js';

/** Most jobs of one name that are remembered, to be started as soon as their task is registered. */
const REMEMBERED = 1_000;

/**
 * Jobs that this process took and cannot run, since nobody here has registered their task. They go back to wait, where
 * other workers of the queue may take them, and are looked at again after a while.
 */
export class ParkedJobs {
  /** Task name → id → queue. */
  readonly #byName = new Map<string, Map<string, string>>();

  constructor(
    private readonly delay: number,
    private readonly store: JobStore,
    private readonly logger: StoreLogger,
  ) {}

  /** Puts a job back without counting an attempt, and rejects as BullMQ wants it. */
  async park(job: Job, token: string | undefined): Promise<never> {
    let jobs = this.#byName.get(job.name);
    if (jobs === undefined) {
      jobs = new Map();
      this.#byName.set(job.name, jobs);
      this.logger.warn(
        `queue "${job.queueName}" holds tasks named "${job.name}", which nobody in this process has registered: they ` +
          `are put back for ${this.delay} ms each. Submit them to a queue of their own, or register the task here.`,
      );
    }
    await job.moveToDelayed(Date.now() + this.delay, token);
    if (jobs.size < REMEMBERED) jobs.set(job.id ?? '', job.queueName);
    throw new DelayedError();
  }

  /** Lets the jobs of these names be taken at once. */
  async release(names: readonly string[]): Promise<void> {
    const jobs = names.flatMap((name) => [...(this.#byName.get(name) ?? [])]);
    for (const name of names) this.#byName.delete(name);
    for (const [taskId, queue] of jobs) {
      try {
        await (await this.store.queue(queue).getJob(taskId))?.promote();
      } catch (error) {
        // It may have come up in the meantime; otherwise it does when its time has come.
        this.logger.debug(`task ${taskId} is not taken at once: ${faultText(error)}`);
      }
    }
  }
}
