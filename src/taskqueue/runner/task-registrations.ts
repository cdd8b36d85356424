import { HubError, type HubErrorOptions } from '../../core/errors.js';
import type { TaskHandler, TaskOptions } from '../taskqueue.types.js';
import { checkTaskName, checkTaskOptions } from '../taskqueue.validation.js';
import type { HandlerRegistration } from './in-process-runner.js';
import type { RunnerSlots } from './run-outcome.js';
import { resolveTaskModule } from './task-module.js';
import type { TaskRunObserver } from './task-run-observer.js';
import type { ModuleRegistration, ThreadPool } from './thread-pool.js';

/**
 * What `registerTasks` registers: all tasks of a module, found by a thread. `INVALID_ARGUMENT` for a module that cannot be
 * loaded or holds no tasks.
 * @param threads where they are to run
 * @param observer is told of their attempts
 */
export async function moduleRegistrations(
  module: string | URL,
  threads: RunnerSlots & { readonly runner: ThreadPool },
  source: HubErrorOptions,
  observer: TaskRunObserver | undefined,
): Promise<ModuleRegistration[]> {
  const found = resolveTaskModule(module, source);
  const tasks = await threads.runner.list(found).catch((error: unknown) => {
    throw HubError.is(error) ? new HubError(error.code, error.message, source) : error;
  });
  return tasks.map((task) => ({ ...task, module: found, slots: threads, observer }));
}

/**
 * What `registerTask` registers, checked: `INVALID_ARGUMENT`.
 * @param slots where it is to run
 * @param observer is told of its attempts
 */
export function handlerRegistration(
  name: string,
  handler: TaskHandler,
  options: TaskOptions,
  slots: RunnerSlots,
  source: HubErrorOptions,
  observer: TaskRunObserver | undefined,
): HandlerRegistration {
  checkTaskName(name, source);
  checkTaskOptions(options, source);
  if (typeof handler !== 'function') {
    throw new HubError('INVALID_ARGUMENT', `the handler of task "${name}" has to be a function.`, source);
  }
  return { name, handler, options, slots, observer };
}
