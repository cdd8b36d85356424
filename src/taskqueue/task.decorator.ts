import { SetMetadata } from '@nestjs/common';
import type { AppValue } from '../core/app-value.js';
import type { TaskOptions } from './taskqueue.types.js';

/** @internal Metadata key of {@link Task}. */
export const TASK = 'nestjs-experiment-hub:task';

/** @internal What the decorator notes on a method. */
export interface TaskMetadata {
  name: string;
  options: AppValue<TaskOptions>;
}

/**
 * Makes a method of any provider or controller a task that runs in this process, on the event loop:
 * `(task: TaskContext) => result`.
 * Work that computes for long belongs into a module given to `registerTasks`, which runs in worker threads.
 *
 * Guards, interceptors, exception filters and decorators of parameters work as on controllers, global ones included, with
 * `'taskqueue'` as the type of the context. A guard that says no is a failure of the task; what an interceptor or filter
 * returns is its result. Enhancers that cannot work there fail the boot with `INVALID_ARGUMENT`.
 *
 * @param options what they are, or where they come from: `(get) => ({ timeLimit: get(ConfigService).getOrThrow('LIMIT') })`
 */
export function Task(name: string, options: AppValue<TaskOptions> = {}): MethodDecorator {
  return SetMetadata(TASK, { name, options } satisfies TaskMetadata);
}
