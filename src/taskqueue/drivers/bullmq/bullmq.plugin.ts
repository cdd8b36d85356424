import { throwIfAborted, withDeadline } from '../../../core/deadline.js';
import { HubError } from '../../../core/errors.js';
import type { JsonObject, JsonValue } from '../../../core/json.js';
import type { Redactor } from '../../../core/redact.js';
import { validateOptions } from '../../../core/validate.js';
import { StoreLogger } from '../../../embedded/store-logger.js';
import { redisError } from '../../../redis/index.js';
import { handlerRegistration, moduleRegistrations } from '../../runner/task-registrations.js';
import {
  DEFAULT_RESULT_TIMEOUT,
  endFault,
  expiredFault,
  statusOf,
  timeoutFault,
  unknownTask,
  type TaskFault,
} from '../../task-outcome.js';
import { TaskQueuePlugin } from '../../taskqueue.plugin.js';
import type {
  CancelOutcome,
  SubmitOptions,
  TaskHandler,
  TaskOptions,
  TaskProgress,
  TaskQueueSupports,
  TaskStatus,
  TaskSubmission,
  WorkerInfo,
} from '../../taskqueue.types.js';
import {
  checkTaskId,
  checkTimeout,
  namedTask,
  normalizeSubmission,
  type SubmissionRules,
} from '../../taskqueue.validation.js';
import type { BullMQExtras } from './bullmq.extras.js';
import { taskQueueHealth } from './bullmq.health.js';
import { bullmqSchema, type BullMQOptions, type BullMQPluginOptions } from './bullmq.options.js';
import { BullMQSession } from './bullmq.session.js';
import { SessionExtras } from './session-extras.js';
import type { TaskRecord } from './job-record.js';
import { followProgress, isFinal, TaskWait } from './task-wait.js';

/** Least time of a look, in ms, whatever the caller's timeout. */
const FIRST_LOOK = 1_000;
/** BullMQ's order of delayed jobs ends here: 2039-09-07, in ms since 1970. */
const LAST_DUE = Math.floor(Number.MAX_SAFE_INTEGER / 4_096);

/** Tasks on BullMQ: Redis keeps them, and this and other processes run them. */
export class BullMQPlugin extends TaskQueuePlugin {
  override readonly driver = 'bullmq';
  override readonly supports: Readonly<TaskQueueSupports>;
  readonly #options: BullMQOptions;
  readonly #logger = new StoreLogger('BullMQ');
  #session: BullMQSession | undefined;

  /**
   * @param options what is left out gets its default; `CONFIG_INVALID` for a wrong value
   * @param given options of ioredis, or a client of it, that lead to Redis in place of what the options say of it; the
   * client is duplicated, not used
   */
  constructor(
    options: BullMQPluginOptions = {},
    private readonly given?: object,
  ) {
    super();
    this.#options = validateOptions(bullmqSchema, options, { what: 'config', ...this.source() });
    if (this.#options.sharedConfig !== undefined) {
      const text = 'sharedConfig is for the Nest module, which finds BullModule.forRoot; here give a url or a host.';
      throw new HubError('CONFIG_INVALID', text, this.source());
    }
    this.supports = Object.freeze({
      inProcess: true,
      dedup: true,
      priority: this.#options.priorities,
      submitRetry: true,
      durableResults: true,
      hardTimeLimit: true,
    });
  }

  /** @internal */
  override hideSecrets(redactor: Redactor): void {
    super.hideSecrets(redactor);
    this.#logger.hide(redactor);
  }

  override async registerTasks(module: string | URL): Promise<string[]> {
    const { threads } = this.#open('registerTasks');
    const tasks = await moduleRegistrations(module, threads, this.source('registerTasks'), this.runObserver);
    // It may have been shut down in the meantime.
    await this.#open('registerTasks').work.register(tasks);
    return tasks.map(({ name }) => name);
  }

  override async registerTask(name: string, handler: TaskHandler, options: TaskOptions = {}): Promise<void> {
    const { work, inProcess } = this.#open('registerTask');
    const source = this.source('registerTask');
    await work.register([handlerRegistration(name, handler, options, inProcess, source, this.runObserver)]);
  }

  override async submitTask(name: string, options: SubmitOptions = {}): Promise<string> {
    const [taskId] = await this.#submit('submitTask', [namedTask(name, options)], options.signal);
    return taskId as string;
  }

  override async submitTasks(
    tasks: readonly TaskSubmission[],
    options: { signal?: AbortSignal } = {},
  ): Promise<string[]> {
    return this.#submit('submitTasks', tasks, options.signal);
  }

  override async getStatus(taskId: string): Promise<TaskStatus> {
    const { store } = this.#open('getStatus');
    checkTaskId(taskId, this.source('getStatus'));
    const record = await this.#call('getStatus', store.find(taskId));
    return record === undefined ? unknownTask(taskId) : statusOf(record);
  }

  override async getResult<T = JsonValue>(
    taskId: string,
    { timeout = DEFAULT_RESULT_TIMEOUT, signal }: { timeout?: number; signal?: AbortSignal } = {},
  ): Promise<T> {
    const session = this.#open('getResult');
    const source = this.source('getResult');
    checkTaskId(taskId, source);
    checkTimeout(timeout, source);
    throwIfAborted(signal, source);
    const deadline = Date.now() + timeout;
    const wait = new TaskWait(session, taskId, source, signal, 'end');
    try {
      if (wait.willHear()) await wait.changed(timeout);
      for (;;) {
        const told = wait.takeResult();
        if (told !== undefined) return told.value as T;
        const left = Math.max(0, deadline - Date.now());
        const late = (): HubError => this.error('TIMEOUT', 'getResult', `Redis did not answer within ${timeout} ms.`);
        // The last look is what the error tells; it gets its time also with a timeout of 0.
        const look = wait.look(left === 0 ? 'all' : 'end');
        const record = await withDeadline(look, Math.max(left, FIRST_LOOK), late, signal);
        const gone = record === undefined && wait.fault === undefined && session.store.knew(taskId);
        if (isFinal(record) || gone) return this.#result(taskId, record) as T;
        if (left === 0) throw this.#timeout(session, taskId, timeout, record, wait.fault);
        await wait.changed(deadline - Date.now());
      }
    } finally {
      wait.end();
    }
  }

  override async *progress(taskId: string, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<TaskProgress> {
    const session = this.#open('progress');
    const source = this.source('progress');
    checkTaskId(taskId, source);
    yield* followProgress(session, taskId, source, signal);
  }

  override async cancel(taskId: string): Promise<CancelOutcome> {
    const { store, follower, work } = this.#open('cancel');
    checkTaskId(taskId, this.source('cancel'));
    const outcome = await this.#call('cancel', store.cancel(taskId));
    if (outcome === undefined) throw this.error('NOT_FOUND', 'cancel', `no task of the id ${taskId} is known.`);
    if (outcome === 'cancelled') follower.notify(taskId, 'ended');
    if (outcome === 'requested') work.cancels.stop(taskId);
    return outcome;
  }

  override async workers(): Promise<WorkerInfo[]> {
    const { work } = this.#open('workers');
    return this.#call('workers', work.roll.list());
  }

  override async ping({ timeout = 1_000 }: { timeout?: number } = {}): Promise<number> {
    this.#open('ping');
    checkTimeout(timeout, this.source('ping'));
    const late = (): HubError => this.error('TIMEOUT', 'ping', `Redis did not answer within ${timeout} ms.`);
    return (await withDeadline(this.workers(), timeout, late)).length;
  }

  /** What BullMQ can do beyond the port: schedules, flows, retries of what has failed, logs. `CLOSED` when not open. */
  get extras(): BullMQExtras {
    return new SessionExtras(this.#open('extras'), this.#options, this.#rules('extras'));
  }

  protected override async onInitialize(): Promise<void> {
    this.#session = await BullMQSession.open(this.#options, this.#logger, this.source(), this.given);
  }

  protected override async onDrain(): Promise<void> {
    await this.#session?.drain();
  }

  protected override async onShutdown(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  protected override async onHealthCheck(): Promise<JsonObject> {
    return taskQueueHealth(this.#open('healthCheck'), this.source('healthCheck'));
  }

  async #submit(operation: string, tasks: readonly TaskSubmission[], signal?: AbortSignal): Promise<string[]> {
    const { store } = this.#open(operation);
    throwIfAborted(signal, this.source(operation));
    const rules = this.#rules(operation);
    const now = Date.now();
    const checked = tasks.map((task) => normalizeSubmission(task, rules, now));
    if (checked.some(({ due }) => due > LAST_DUE)) {
      throw this.error('INVALID_ARGUMENT', operation, 'BullMQ takes no eta after 2039-09-07.');
    }
    if (checked.length > 0) await this.#call(operation, store.submit(checked, now));
    return checked.map(({ taskId }) => taskId);
  }

  #rules(operation: string): SubmissionRules {
    const { maxPayloadBytes } = this.#options;
    return { supports: this.supports, maxPayloadBytes, source: this.source(operation) };
  }

  #result(taskId: string, record: TaskRecord | undefined): unknown {
    if (record === undefined || record.expired) {
      throw this.#fault(expiredFault(taskId, this.#options.resultTtl, 'resultTtl'));
    }
    if (record.state === 'SUCCESS') return JSON.parse(record.result ?? 'null') as unknown;
    throw this.#fault(endFault(record, record.reason));
  }

  #timeout(
    { work }: BullMQSession,
    taskId: string,
    timeout: number,
    record: TaskRecord | undefined,
    fault: HubError | undefined,
  ): HubError {
    const reason = fault !== undefined ? fault.message : stateText(record, work.registry.names);
    return this.#fault(timeoutFault(taskId, timeout, record?.state ?? 'PENDING', reason));
  }

  #fault({ code, message, details }: TaskFault): HubError {
    return this.error(code, 'getResult', message, { details });
  }

  /** Names plugin and operation in what a call rejects with. */
  async #call<T>(operation: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      const { code, message, details } = redisError(error, {});
      const named = HubError.is(error) && error.operation === operation;
      throw named
        ? error
        : this.error(code, operation, message.replace(/^\[[^\]]*\] (\w+: )?/, ''), { cause: error, details });
    }
  }

  #open(operation: string): BullMQSession {
    this.ensureOpen(operation);
    if (this.#session === undefined) throw this.error('CLOSED', operation, 'the plugin is not open.');
    return this.#session;
  }
}

function stateText(record: TaskRecord | undefined, names: readonly string[]): string {
  if (record === undefined) return 'No task of that id is known.';
  const { name, state, attempt, queue } = record;
  if (name === null || names.includes(name)) return `It is ${state}, attempt ${attempt}.`;
  return (
    `It is ${state} in queue "${queue}", attempt ${attempt}; nobody in this process has registered "${name}": see ` +
    'workers() for those of other processes.'
  );
}
