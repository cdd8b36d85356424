import { FlowProducer, type FlowJob } from 'bullmq';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { JsonValue } from '../../../core/json.js';
import type { SubmitOptions, TaskSubmission } from '../../taskqueue.types.js';
import { checkTaskId, normalizeSubmission, type SubmissionRules } from '../../taskqueue.validation.js';
import { redisError } from './bullmq.errors.js';
import type { BullMQOptions } from './bullmq.options.js';
import type { BullMQSession } from './bullmq.session.js';
import { jobOptions } from './job-options.js';
import type { TaskRecord } from './job-record.js';
import { encodeTask } from './task-envelope.js';

/** When a task is submitted again and again: by `every` or by `pattern`. */
export interface RepeatSchedule {
  /** ms between two submits. */
  every?: number;
  /** Cron pattern of five or six fields, e.g. `0 3 * * *`. */
  pattern?: string;
  /** Time zone of the pattern, e.g. `Europe/Berlin`. Default: that of the process. */
  tz?: string;
  /** Most submits. Default: no limit. */
  limit?: number;
}

/** A task that waits for others: it is ready when all of its children have succeeded. */
export interface TaskFlow extends Omit<TaskSubmission, 'countdown' | 'eta'> {
  children?: TaskFlow[];
}

/** What BullMQ can do beyond the port. Errors are those of the port's methods. */
export class BullMQExtras {
  constructor(
    private readonly session: BullMQSession,
    private readonly options: BullMQOptions,
    private readonly rules: SubmissionRules,
  ) {}

  /**
   * Submits a task by a schedule, from now on and whichever processes live; the same `id` in the same queue replaces the
   * schedule. The ids of its tasks are BullMQ's (`repeat:…`), which no method of the port takes.
   */
  async repeat(
    id: string,
    schedule: RepeatSchedule,
    name: string,
    task: Omit<SubmitOptions, 'taskId' | 'countdown' | 'eta' | 'expires' | 'signal'> = {},
  ): Promise<void> {
    const { source } = this.rules;
    checkTaskId(id, source);
    if ((schedule.every === undefined) === (schedule.pattern === undefined)) {
      throw new HubError('INVALID_ARGUMENT', 'a schedule has either every or pattern.', source);
    }
    const checked = normalizeSubmission({ ...task, name }, this.rules);
    const { jobId: _id, timestamp: _now, ...opts } = jobOptions(checked, this.options, checked.due);
    const queue = checked.queue ?? this.options.defaultQueue;
    await this.#run(() =>
      this.session.store.queue(queue).upsertJobScheduler(id, schedule, { name, data: encodeTask(checked), opts }),
    );
  }

  /** Ends a schedule; what it has submitted stays, apart from the next one that waits. `false`: there is none. */
  async stopRepeating(id: string, queue = this.options.defaultQueue): Promise<boolean> {
    return this.#run(() => this.session.store.queue(queue).removeJobScheduler(id));
  }

  /** Submits a tree of tasks, all or none, and resolves to the id of its root. */
  async submitFlow(flow: TaskFlow): Promise<string> {
    const now = Date.now();
    const root = this.#node(flow, now);
    return this.#run(async () => {
      this.session.clients.ensureUp();
      const producer = new FlowProducer({ connection: this.session.clients.command, prefix: this.options.prefix });
      producer.on('error', () => undefined);
      try {
        await producer.add(root);
      } finally {
        await producer.close();
      }
      return root.opts?.jobId ?? '';
    });
  }

  /** Results of the children of a task that have succeeded, by their ids. */
  async childResults(taskId: string): Promise<Record<string, JsonValue>> {
    const { queue } = await this.#found(taskId);
    return this.#run(async () => {
      const job = await this.session.store.queue(queue).getJob(taskId);
      const values = (await job?.getChildrenValues<JsonValue>()) ?? {};
      return Object.fromEntries(
        Object.entries(values).map(([key, value]) => [key.slice(key.lastIndexOf(':') + 1), value]),
      );
    });
  }

  /** Gives a task that is FAILURE or REVOKED one more attempt. `CONFLICT` for one that is not. */
  async retry(taskId: string): Promise<void> {
    const { queue, state } = await this.#found(taskId);
    if (state !== 'FAILURE' && state !== 'REVOKED') {
      throw new HubError('CONFLICT', `task ${taskId} is ${state}; only what has failed is retried.`, this.rules.source);
    }
    await this.#run(async () => {
      await this.session.work.cancels.forget(taskId);
      await (await this.session.store.queue(queue).getJob(taskId))?.retry('failed');
    });
  }

  /** Adds a line to the log of a task, which goes with its job. */
  async addLog(taskId: string, line: string): Promise<void> {
    const { queue } = await this.#found(taskId);
    await this.#run(() => this.session.store.queue(queue).addJobLog(taskId, line));
  }

  /** The log of a task, from its first line. */
  async logs(taskId: string): Promise<string[]> {
    const { queue } = await this.#found(taskId);
    return (await this.#run(() => this.session.store.queue(queue).getJobLogs(taskId))).logs;
  }

  #node({ children = [], ...task }: TaskFlow, now: number): FlowJob {
    const checked = normalizeSubmission(task, this.rules, now);
    return {
      name: checked.name,
      queueName: checked.queue ?? this.options.defaultQueue,
      prefix: this.options.prefix,
      data: encodeTask(checked),
      opts: { ...jobOptions(checked, this.options, now), failParentOnFailure: true },
      children: children.map((child) => this.#node(child, now)),
    };
  }

  async #found(taskId: string): Promise<TaskRecord> {
    checkTaskId(taskId, this.rules.source);
    const record = await this.#run(() => this.session.store.find(taskId));
    if (record !== undefined) return record;
    throw new HubError('NOT_FOUND', `no task of the id ${taskId} is known.`, this.rules.source);
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw redisError(error, this.rules.source as HubErrorOptions);
    }
  }
}
