export { MLOpsHealthIndicator } from './mlops.health.js';
export { MLOpsModule } from './mlops.module.js';
export { MLOpsPlugin } from './mlops.plugin.js';
export * from './mlops.types.js';
export type { ActiveRun } from './mlops.active-run.js';
