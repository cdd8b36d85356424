import type { TaskQueuePlugin } from './taskqueue.plugin.js';
import type { TaskQueueSupports } from './taskqueue.types.js';

/** Capability → the methods that reject with `UNSUPPORTED` without it. docs/drivers.md is generated from it. */
export const TASKQUEUE_CAPABILITIES: Record<keyof TaskQueueSupports, readonly (keyof TaskQueuePlugin)[]> = {
  inProcess: ['registerTasks', 'registerTask'],
  dedup: [],
  // Only the option `priority` of a submit.
  priority: [],
  // Only the option `retry` of a submit.
  submitRetry: [],
  durableResults: [],
  hardTimeLimit: [],
};
