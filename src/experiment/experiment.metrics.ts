import { DURATION_BUCKETS } from '../core/plugin.metrics.js';
import type { MetricDefinition } from '../core/telemetry.js';

/** What is told of experiments. */
export const EXPERIMENT_METRICS = {
  predictions: {
    name: 'predictions_total',
    type: 'counter',
    help: 'Rows that were to be predicted, by request or from a stream.',
    labels: ['experiment', 'outcome'],
  },
  prediction: {
    name: 'prediction_duration_seconds',
    type: 'histogram',
    help: 'How long predictions took, however many rows they have.',
    labels: ['experiment', 'outcome'],
    buckets: DURATION_BUCKETS,
  },
  feedback: {
    name: 'feedback_items_total',
    type: 'counter',
    help: 'Items of feedback that were recorded.',
    labels: ['experiment'],
  },
  rolling: {
    name: 'rolling_metric',
    type: 'gauge',
    help: 'Mean of the metric over the latest feedback on the champion.',
    labels: ['experiment', 'metric'],
  },
  rollingSamples: {
    name: 'rolling_metric_samples',
    type: 'gauge',
    help: 'Items in the window of the rolling metric.',
    labels: ['experiment', 'metric'],
  },
  started: {
    name: 'trainings_started_total',
    type: 'counter',
    help: 'Trainings whose task was submitted.',
    labels: ['experiment', 'trigger'],
  },
  ended: {
    name: 'trainings_total',
    type: 'counter',
    help: 'Trainings that this process ended.',
    labels: ['experiment', 'trigger', 'outcome'],
  },
  training: {
    name: 'training_duration_seconds',
    type: 'histogram',
    help: 'How long trainings took, from the start of their run to its end.',
    labels: ['experiment', 'outcome'],
    buckets: [0.1, 1, 5, 15, 60, 300, 900, 3_600, 4 * 3_600, 24 * 3_600],
  },
  inFlight: {
    name: 'trainings_in_flight',
    type: 'upDown',
    help: 'Trainings that this process follows.',
    labels: ['experiment'],
  },
  promotions: {
    name: 'promotions_total',
    type: 'counter',
    help: 'Decisions on who is the champion.',
    labels: ['experiment', 'decision'],
  },
} as const satisfies Record<string, MetricDefinition>;
