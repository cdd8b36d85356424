import { parentPort } from 'node:worker_threads';
import { errorMessage, HubError } from '../../core/errors.js';
import { toJson, type JsonValue } from '../../core/json.js';
import { taskErrorOf } from '../task-error.js';
import type { TaskContext, TaskHandler } from '../taskqueue.types.js';
import type { FromThread, TaskModule, ThreadTask, ToThread } from './thread-messages.js';
import { handlerOf, listTasks, taskDefinitions } from './task-definitions.js';
import type { RunOutcome } from './run-outcome.js';
import type { ThreadContext } from './task-run-observer.js';

/** The job of this thread: one at a time. */
interface Job {
  number: number;
  controller: AbortController;
  reports: Map<number, { resolve: () => void; reject: (error: Error) => void }>;
}

let current: Job | undefined;
let typescript = false;

parentPort?.on('message', (message: ToThread) => {
  switch (message.type) {
    case 'run':
      void run(message.job, message.module, message.task);
      break;
    case 'list':
      void list(message.job, message.module);
      break;
    case 'abort':
      if (current?.number === message.job) {
        current.controller.abort(new HubError(message.error.code, message.error.message));
      }
      break;
    case 'stored': {
      if (current?.number !== message.job) break;
      const report = current.reports.get(message.report);
      current.reports.delete(message.report);
      if (message.error === undefined) report?.resolve();
      else report?.reject(new HubError(message.error.code, message.error.message));
    }
  }
});

async function run(number: number, module: TaskModule, task: ThreadTask): Promise<void> {
  const job: Job = { number, controller: new AbortController(), reports: new Map() };
  current = job;
  const outcome = await outcomeOf(job, module, task);
  current = undefined;
  send({ type: 'done', job: number, outcome });
}

async function outcomeOf(job: Job, module: TaskModule, task: ThreadTask): Promise<RunOutcome> {
  const pending: Promise<void>[] = [];
  let over = false;
  const { context: threadContext, ...own } = task;
  const context: TaskContext = {
    ...own,
    signal: job.controller.signal,
    progress(data: JsonValue) {
      const stored = over ? Promise.reject(ended(task)) : report(job, task, data);
      pending.push(stored);
      // Who does not await a report does not want to hear of its failure either.
      stored.catch(() => undefined);
      return stored;
    },
  };
  try {
    const handler: TaskHandler = handlerOf(await load(module), task.name);
    const run = (): unknown => handler(context);
    const result = await (threadContext === undefined
      ? run()
      : (await loadContext(threadContext)).within(task.headers, run));
    return { kind: 'result', json: toJson(result ?? null, `the result of task "${task.name}"`) };
  } catch (error) {
    return { kind: 'error', error: taskErrorOf(error) };
  } finally {
    over = true;
    // The last report has to be stored before the task has ended.
    await Promise.allSettled(pending);
  }
}

async function report(job: Job, task: ThreadTask, data: JsonValue): Promise<void> {
  const json = toJson(data, `progress of task "${task.name}"`);
  reports += 1;
  const number = reports;
  await new Promise<void>((resolve, reject) => {
    job.reports.set(number, { resolve, reject });
    send({ type: 'progress', job: job.number, report: number, json });
  });
}

let reports = 0;

async function list(number: number, module: TaskModule): Promise<void> {
  try {
    send({ type: 'listed', job: number, tasks: listTasks(await load(module), module.url) });
  } catch (error) {
    const known = HubError.is(error);
    const message = known ? error.message : `the task module ${module.url} cannot be loaded: ${errorMessage(error)}`;
    send({ type: 'unlisted', job: number, error: { code: known ? error.code : 'INVALID_ARGUMENT', message } });
  }
}

async function loadContext(url: string): Promise<ThreadContext> {
  return (await import(url)) as ThreadContext;
}

async function load(module: TaskModule): Promise<Record<string, unknown>> {
  if (module.tsx !== undefined && !typescript) {
    const { register } = (await import(module.tsx)) as { register: () => unknown };
    register();
    typescript = true;
  }
  return taskDefinitions(await import(module.url), module.url);
}

function ended(task: ThreadTask): HubError {
  return new HubError('CONFLICT', `task ${task.taskId} has ended; it cannot report progress.`);
}

function send(message: FromThread): void {
  parentPort?.postMessage(message);
}
