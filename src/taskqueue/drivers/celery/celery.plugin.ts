import { throwIfAborted, withDeadline } from '../../../core/deadline.js';
import { HubError } from '../../../core/errors.js';
import type { JsonObject, JsonValue } from '../../../core/json.js';
import type { Redactor } from '../../../core/redact.js';
import { validateOptions } from '../../../core/validate.js';
import { StoreLogger } from '../../../embedded/store-logger.js';
import {
  DEFAULT_RESULT_TIMEOUT,
  endFault,
  expiredFault,
  statusOf,
  timeoutFault,
  type TaskFault,
} from '../../task-outcome.js';
import { TaskQueuePlugin } from '../../taskqueue.plugin.js';
import type {
  CancelOutcome,
  SubmitOptions,
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
import type { CeleryExtras } from './celery.extras.js';
import { taskQueueHealth } from './celery.health.js';
import { celerySchema, type CeleryOptions, type CeleryPluginOptions } from './celery.options.js';
import { CelerySession } from './celery.session.js';
import { transportOf } from './celery.urls.js';
import type { CeleryRecord } from './celery-record.js';
import { inspectWorkers, listWorkers } from './control/inspect.js';
import { warnOfWorkers } from './control/worker-warnings.js';
import { SessionExtras } from './session-extras.js';
import { followProgress, isOver, TaskWatch } from './task-watch.js';

/** Least time of a look, in ms, whatever the caller's timeout. */
const FIRST_LOOK = 1_000;

/** Tasks that Celery workers run, which this process submits, follows and cancels. See README.md. */
export class CeleryPlugin extends TaskQueuePlugin {
  override readonly driver = 'celery';
  override readonly supports: Readonly<TaskQueueSupports>;
  readonly #options: CeleryOptions;
  readonly #logger = new StoreLogger('Celery');
  #session: CelerySession | undefined;

  /** @param options what is left out gets its default; `CONFIG_INVALID` for a wrong value */
  constructor(options: CeleryPluginOptions = {}) {
    super();
    this.#options = validateOptions(celerySchema, options, { what: 'config', ...this.source() });
    this.supports = Object.freeze({
      inProcess: false,
      dedup: false,
      priority: this.#options.maxPriority !== undefined,
      submitRetry: false,
      durableResults: transportOf(this.#options.backendUrl) !== 'rpc',
      hardTimeLimit: true,
    });
  }

  /** @internal */
  override hideSecrets(redactor: Redactor): void {
    super.hideSecrets(redactor);
    this.#logger.hide(redactor);
  }

  override async registerTasks(): Promise<string[]> {
    throw this.#notHere('registerTasks');
  }

  override async registerTask(): Promise<void> {
    throw this.#notHere('registerTask');
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
    const session = this.#open('getStatus');
    checkTaskId(taskId, this.source('getStatus'));
    const record = await this.#call('getStatus', session.find(taskId));
    return statusOf(record);
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
    const watch = new TaskWatch(session, taskId, source, signal);
    try {
      for (;;) {
        const left = Math.max(0, deadline - Date.now());
        const late = (): HubError =>
          this.error('TIMEOUT', 'getResult', `the result backend did not answer within ${timeout} ms.`);
        // The first look gets its time also with a timeout of 0: it is what the caller asks for.
        const record = await withDeadline(watch.look(left === 0), Math.max(left, FIRST_LOOK), late, signal);
        if (record !== undefined && isOver(record)) return this.#result(record) as T;
        if (left === 0) throw this.#timeout(taskId, timeout, record, watch.fault);
        await watch.changed(deadline - Date.now());
      }
    } finally {
      watch.end();
    }
  }

  override async *progress(taskId: string, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<TaskProgress> {
    const session = this.#open('progress');
    const source = this.source('progress');
    checkTaskId(taskId, source);
    yield* followProgress(new TaskWatch(session, taskId, source, signal));
  }

  /**
   * As the port says. Celery's workers are only asked: the answer is never `cancelled`, and a task that no worker has taken
   * is revoked when one that got the request takes it; a worker that starts later runs it.
   */
  override async cancel(taskId: string): Promise<CancelOutcome> {
    const session = this.#open('cancel');
    checkTaskId(taskId, this.source('cancel'));
    const record = await this.#call('cancel', session.find(taskId));
    if (record.finishedAt !== null) return 'finished';
    if (record.name === null) {
      throw this.error('NOT_FOUND', 'cancel', `no task of the id ${taskId} is known.`);
    }
    const revoke = { method: 'revoke', arguments: { task_id: taskId, terminate: true, signal: 'SIGTERM' } };
    await this.#call('cancel', session.broker.cast(revoke));
    return 'requested';
  }

  override async workers(): Promise<WorkerInfo[]> {
    const { broker } = this.#open('workers');
    return this.#call('workers', listWorkers(broker, this.#options.controlTimeout));
  }

  override async ping({ timeout = 1_000 }: { timeout?: number } = {}): Promise<number> {
    const { broker } = this.#open('ping');
    checkTimeout(timeout, this.source('ping'));
    const answers = await this.#call('ping', inspectWorkers(broker, { method: 'ping', arguments: {} }, timeout));
    return Object.keys(answers).length;
  }

  /** What Celery can do beyond the port: links, chains, groups, inspection, events. `CLOSED` when not open. */
  get extras(): CeleryExtras {
    return new SessionExtras(this.#open('extras'), this.#options, (operation) => this.#rules(operation));
  }

  protected override async onInitialize(): Promise<void> {
    const session = await CelerySession.open(this.#options, this.#logger, this.source());
    this.#session = session;
    void warnOfWorkers(session.broker, this.#options, this.#logger);
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
    return taskQueueHealth(this.#open('healthCheck'), this.#options, this.source('healthCheck'));
  }

  async #submit(operation: string, tasks: readonly TaskSubmission[], signal?: AbortSignal): Promise<string[]> {
    const session = this.#open(operation);
    throwIfAborted(signal, this.source(operation));
    const rules = this.#rules(operation);
    const now = Date.now();
    const outgoing = tasks.map((task) => ({
      task: normalizeSubmission(task, rules, now),
      ownId: task.taskId !== undefined,
    }));
    try {
      if (outgoing.length > 0) await session.submit(outgoing, now, { operation, signal });
    } catch (error) {
      throw this.#named(operation, error);
    }
    return outgoing.map(({ task }) => task.taskId);
  }

  #rules(operation: string): SubmissionRules {
    const { maxPayloadBytes } = this.#options;
    return { supports: this.supports, maxPayloadBytes, source: this.source(operation) };
  }

  #result(record: CeleryRecord): unknown {
    const { taskId, state, result, reason, expired } = record;
    if (expired) throw this.#fault(expiredFault(taskId, this.#options.resultExpires, 'resultExpires'));
    if (state === 'SUCCESS') return result;
    throw this.#fault(endFault(record, reason));
  }

  #timeout(taskId: string, timeout: number, record: CeleryRecord | undefined, fault: HubError | undefined): HubError {
    const reason = fault !== undefined ? fault.message : stateText(record);
    return this.#fault(timeoutFault(taskId, timeout, record?.state ?? 'PENDING', reason));
  }

  #fault({ code, message, details }: TaskFault): HubError {
    return this.error(code, 'getResult', message, { details });
  }

  #notHere(operation: string): HubError {
    this.ensureOpen(operation);
    return this.unsupported(
      operation,
      'Celery tasks run in Python workers: register them there with @app.task (see examples/python-worker). For tasks in ' +
        'this process choose the driver local or bullmq.',
    );
  }

  /** Names plugin and operation in what a call rejects with. */
  async #call<T>(operation: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw this.#named(operation, error);
    }
  }

  #named(operation: string, error: unknown): unknown {
    if (!HubError.is(error) || error.operation === operation) return error;
    const message = error.message.replace(/^\[[^\]]*\] (\w+: )?/, '');
    return this.error(error.code, operation, message, { cause: error, details: error.details });
  }

  #open(operation: string): CelerySession {
    this.ensureOpen(operation);
    if (this.#session === undefined) throw this.error('CLOSED', operation, 'the plugin is not open.');
    return this.#session;
  }
}

function stateText(record: CeleryRecord | undefined): string {
  if (record === undefined || record.name === null) return 'No task of that id is known.';
  const { state, attempt, queue } = record;
  if (state !== 'PENDING') return `It is ${state}, attempt ${attempt}.`;
  const where = queue === undefined ? '' : ` in queue "${queue}"`;
  return `It is PENDING${where}: it waits for a worker, was lost with one that acks early, or runs in one that tells no states.`;
}
