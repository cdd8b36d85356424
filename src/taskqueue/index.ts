export { TaskQueueHealthIndicator } from './taskqueue.health.js';
export { TaskQueueModule } from './taskqueue.module.js';
export { TaskQueuePlugin } from './taskqueue.plugin.js';
export * from './taskqueue.types.js';
export { TaskHandle } from './task-handle.js';
export { Task } from './task.decorator.js';
