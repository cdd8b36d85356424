import { PLUGIN_METRICS } from '../core/plugin.metrics.js';
import type { MetricDefinition } from '../core/telemetry.js';
import { MESSAGE_METRICS } from '../datastream/datastream.metrics.js';
import { EXPERIMENT_METRICS } from '../experiment/experiment.metrics.js';
import { TASK_METRICS } from '../taskqueue/taskqueue.metrics.js';

/** All metrics of the hub, in the order of docs/observability.md. */
export const HUB_METRICS: readonly MetricDefinition[] = [
  PLUGIN_METRICS,
  MESSAGE_METRICS,
  TASK_METRICS,
  EXPERIMENT_METRICS,
].flatMap((metrics): MetricDefinition[] => Object.values(metrics));
