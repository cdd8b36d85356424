import { DURATION_BUCKETS } from '../core/plugin.metrics.js';
import type { MetricDefinition } from '../core/telemetry.js';

/** What is told of tasks. */
export const TASK_METRICS = {
  submitted: {
    name: 'tasks_submitted_total',
    type: 'counter',
    help: 'Tasks that the backend has accepted.',
    labels: ['name', 'driver', 'task'],
  },
  ended: {
    name: 'tasks_ended_total',
    type: 'counter',
    help: 'Ends of tasks that somebody in this process waited for with getResult.',
    labels: ['name', 'driver', 'state'],
  },
  run: {
    name: 'task_run_duration_seconds',
    type: 'histogram',
    help: 'How long attempts of tasks took that ran in this process or its threads.',
    labels: ['name', 'driver', 'task', 'outcome'],
    buckets: DURATION_BUCKETS,
  },
  inFlight: {
    name: 'task_runs_in_flight',
    type: 'upDown',
    help: 'Attempts of tasks that run in this process or its threads.',
    labels: ['name', 'driver', 'task'],
  },
} as const satisfies Record<string, MetricDefinition>;
