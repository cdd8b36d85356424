import { FlowProducer, type FlowJob } from 'bullmq';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { JsonValue } from '../../../core/json.js';
import { redisError } from '../../../redis/index.js';
import type { SubmitOptions } from '../../taskqueue.types.js';
import { checkTaskId, namedTask, normalizeSubmission, type SubmissionRules } from '../../taskqueue.validation.js';
import type { BullMQExtras, RepeatSchedule, TaskFlow } from './bullmq.extras.js';
import type { BullMQOptions } from './bullmq.options.js';
import type { BullMQSession } from './bullmq.session.js';
import { jobOptions } from './job-options.js';
import type { TaskRecord } from './job-record.js';
import { encodeTask } from './task-envelope.js';

/** {@link BullMQExtras} of an open plugin. */
export class SessionExtras implements BullMQExtras {
  constructor(
    private readonly session: BullMQSession,
    private readonly options: BullMQOptions,
    private readonly rules: SubmissionRules,
  ) {}

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
    const checked = normalizeSubmission(namedTask(name, task), this.rules);
    const { jobId: _id, ...opts } = jobOptions(checked, this.options, checked.due);
    const queue = checked.queue ?? this.options.defaultQueue;
    await this.#run(() =>
      this.session.store.queue(queue).upsertJobScheduler(id, schedule, { name, data: encodeTask(checked), opts }),
    );
  }

  async stopRepeating(id: string, queue = this.options.defaultQueue): Promise<boolean> {
    return this.#run(() => this.session.store.queue(queue).removeJobScheduler(id));
  }

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

  async addLog(taskId: string, line: string): Promise<void> {
    const { queue } = await this.#found(taskId);
    await this.#run(() => this.session.store.queue(queue).addJobLog(taskId, line));
  }

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
      opts: { ...jobOptions(checked, this.options, now), timestamp: now, failParentOnFailure: true },
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
