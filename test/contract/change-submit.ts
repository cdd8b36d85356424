import type { TaskQueuePlugin } from '../../src/taskqueue/taskqueue.plugin.js';
import type { SubmitOptions } from '../../src/taskqueue/taskqueue.types.js';
import { replace } from './mutant.js';

/** Has a queue take other options of a submit than the caller gives. */
export function changeSubmit(plugin: TaskQueuePlugin, change: (options: SubmitOptions) => SubmitOptions): void {
  replace(
    plugin,
    'submitTask',
    (original) =>
      (name, options = {}) =>
        original(name, change(options)),
  );
}
