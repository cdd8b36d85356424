import { abortError, throwIfAborted, withDeadline } from '../../../core/deadline.js';
import { HubError } from '../../../core/errors.js';
import type { JsonObject, JsonValue } from '../../../core/json.js';
import type { Redactor } from '../../../core/redact.js';
import { validateOptions } from '../../../core/validate.js';
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
import {
  FINAL_TASK_STATES,
  type CancelOutcome,
  type SubmitOptions,
  type TaskHandler,
  type TaskOptions,
  type TaskProgress,
  type TaskQueueSupports,
  type TaskStatus,
  type TaskSubmission,
  type WorkerInfo,
} from '../../taskqueue.types.js';
import { checkTaskId, checkTimeout, namedTask, normalizeSubmission } from '../../taskqueue.validation.js';
import { IN_MEMORY } from '../../../embedded/store.options.js';
import { storeFailure } from '../../../embedded/store-failure.js';
import { StoreLogger } from '../../../embedded/store-logger.js';
import { localTaskQueueSchema, type LocalTaskQueueOptions } from './local.options.js';
import { handlerRegistration, moduleRegistrations } from '../../runner/task-registrations.js';
import type { TaskRecord } from './task-records.js';
import { openQueue, type OpenQueue } from './open-queue.js';
import type { TaskChange } from '../../runner/task-waiters.js';

/** The embedded task queue: SQLite for what has to last, this process and its worker threads for the work. */
export class LocalTaskQueuePlugin extends TaskQueuePlugin {
  override readonly driver = 'local';
  override readonly supports: Readonly<TaskQueueSupports>;
  readonly #options: LocalTaskQueueOptions;
  readonly #logger = new StoreLogger('LocalTaskQueue');
  #queue: OpenQueue | undefined;

  /** @param options what is left out gets its default; `CONFIG_INVALID` for a wrong value */
  constructor(options: Partial<LocalTaskQueueOptions> = {}) {
    super();
    this.#options = validateOptions(localTaskQueueSchema, options, { what: 'config', ...this.source() });
    this.supports = Object.freeze({
      inProcess: true,
      dedup: true,
      priority: true,
      submitRetry: true,
      durableResults: this.#options.dataDir !== IN_MEMORY,
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
    this.#open('registerTasks').scheduler.register(tasks);
    return tasks.map(({ name }) => name);
  }

  override async registerTask(name: string, handler: TaskHandler, options: TaskOptions = {}): Promise<void> {
    const { scheduler, inProcess } = this.#open('registerTask');
    const source = this.source('registerTask');
    scheduler.register([handlerRegistration(name, handler, options, inProcess, source, this.runObserver)]);
  }

  override async submitTask(name: string, options: SubmitOptions = {}): Promise<string> {
    const { signal, ...task } = options;
    const [taskId] = this.#submit('submitTask', [namedTask(name, task)], signal);
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
    const record = store.find(checkTaskId(taskId, this.source('getStatus')));
    if (record === undefined) return unknownTask(taskId);
    const { state } = record;
    return statusOf({ ...record, error: state === 'FAILURE' || state === 'RETRY' ? record.error : null });
  }

  override async getResult<T = JsonValue>(
    taskId: string,
    { timeout = DEFAULT_RESULT_TIMEOUT, signal }: { timeout?: number; signal?: AbortSignal } = {},
  ): Promise<T> {
    const { store, waiters } = this.#open('getResult');
    const source = this.source('getResult');
    checkTaskId(taskId, source);
    checkTimeout(timeout, source);
    throwIfAborted(signal, source);
    let stopListening: (() => void) | undefined;
    const closed = new Promise<void>((resolve, reject) => {
      stopListening = waiters.listen(taskId, (change) => {
        if (change === 'ended') resolve();
        if (change === 'closed')
          reject(this.error('CLOSED', 'getResult', 'the plugin was shut down while the task ran.'));
      });
    });
    try {
      if (!isFinal(store.find(taskId)))
        await withDeadline(closed, timeout, () => this.#timeout(taskId, timeout), signal);
    } finally {
      stopListening?.();
    }
    return this.#result(taskId, this.#open('getResult').store.find(taskId)) as T;
  }

  override async *progress(taskId: string, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<TaskProgress> {
    const { store, waiters } = this.#open('progress');
    const source = this.source('progress');
    if (store.find(checkTaskId(taskId, source)) === undefined) throw this.#unknown('progress', taskId);
    let changed: TaskChange | undefined;
    let wake = (): void => undefined;
    const stopListening = waiters.listen(taskId, (change) => {
      changed = change;
      wake();
    });
    const onAbort = (): void => wake();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      let seen: TaskProgress | null = null;
      for (;;) {
        if (signal?.aborted) throw abortError(signal, source);
        if (changed === 'closed')
          throw this.error('CLOSED', 'progress', 'the plugin was shut down while the task ran.');
        changed = undefined;
        const record: TaskRecord | undefined = store.find(taskId);
        const latest: TaskProgress | null = record?.progress ?? null;
        if (latest !== null && (latest.attempt !== seen?.attempt || latest.sequence !== seen.sequence)) {
          seen = latest;
          yield latest;
          continue;
        }
        if (record === undefined || isFinal(record)) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
          // A change or an abort can come before anybody waits for it.
          if (changed !== undefined || signal?.aborted) resolve();
        });
      }
    } finally {
      stopListening();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  override async cancel(taskId: string): Promise<CancelOutcome> {
    const { store, scheduler, waiters } = this.#open('cancel');
    const outcome = store.cancel(checkTaskId(taskId, this.source('cancel')), Date.now());
    if (outcome === undefined) throw this.#unknown('cancel', taskId);
    if (outcome === 'cancelled') waiters.notify(taskId, 'ended');
    if (outcome === 'requested') scheduler.cancel(taskId);
    return outcome;
  }

  override async workers(): Promise<WorkerInfo[]> {
    return this.#open('workers').workers();
  }

  override async ping({ timeout = 1_000 }: { timeout?: number } = {}): Promise<number> {
    const { workers } = this.#open('ping');
    checkTimeout(timeout, this.source('ping'));
    return workers().length;
  }

  protected override async onInitialize(): Promise<void> {
    this.#queue = openQueue(this.#options, this.source(), this.#logger);
  }

  protected override async onDrain(): Promise<void> {
    await this.#queue?.scheduler.drain();
  }

  protected override async onShutdown(): Promise<void> {
    const queue = this.#queue;
    this.#queue = undefined;
    await queue?.close();
  }

  protected override async onHealthCheck(): Promise<JsonObject> {
    const { store, scheduler, workers } = this.#open('healthCheck');
    if (scheduler.fault !== undefined) {
      throw this.error('UNAVAILABLE', 'healthCheck', `the task store ${scheduler.fault}.`);
    }
    return { store: store.path, ...store.counts(), active: scheduler.active, workers: workers().length };
  }

  #submit(operation: string, tasks: readonly TaskSubmission[], signal?: AbortSignal): string[] {
    const { store, scheduler } = this.#open(operation);
    const source = this.source(operation);
    throwIfAborted(signal, source);
    const rules = { supports: this.supports, maxPayloadBytes: this.#options.maxPayloadBytes, source };
    const now = Date.now();
    const checked = tasks.map((task) => normalizeSubmission(task, rules, now));
    try {
      if (checked.length > 0) store.insert(checked, this.#options.defaultQueue, now);
    } catch (error) {
      throw storeFailure(error, source);
    }
    scheduler.wake();
    return checked.map(({ taskId }) => taskId);
  }

  #result(taskId: string, record: TaskRecord | undefined): unknown {
    if (record === undefined || record.expired) {
      throw this.#fault(expiredFault(taskId, this.#options.resultTtl, 'resultTtl'));
    }
    if (record.state === 'SUCCESS') return JSON.parse(record.result ?? 'null') as unknown;
    throw this.#fault(endFault(record, record.error?.message ?? null));
  }

  #timeout(taskId: string, timeout: number): HubError {
    const record = this.#queue?.store.find(taskId);
    const reason =
      record === undefined
        ? 'No task of that id is known.'
        : this.#queue?.scheduler.knows(record.name)
          ? `It is ${record.state}, attempt ${record.attempt}.`
          : `It is ${record.state}, and nobody in this process has registered "${record.name}": see registerTasks and @Task.`;
    return this.#fault(timeoutFault(taskId, timeout, record?.state ?? 'PENDING', reason));
  }

  #fault({ code, message, details }: TaskFault): HubError {
    return this.error(code, 'getResult', message, { details });
  }

  #unknown(operation: string, taskId: string): HubError {
    return this.error('NOT_FOUND', operation, `no task of the id ${taskId} is known.`);
  }

  #open(operation: string): OpenQueue {
    this.ensureOpen(operation);
    if (this.#queue === undefined) throw this.error('CLOSED', operation, 'the plugin is not open.');
    return this.#queue;
  }
}

function isFinal(record: TaskRecord | undefined): boolean {
  return record !== undefined && FINAL_TASK_STATES.includes(record.state);
}
