import { DURATION_BUCKETS } from '../core/plugin.metrics.js';
import type { MetricDefinition } from '../core/telemetry.js';

/** What is told of messages. */
export const MESSAGE_METRICS = {
  sent: {
    name: 'messages_sent_total',
    type: 'counter',
    help: 'Messages that the backend has confirmed.',
    labels: ['name', 'driver', 'queue'],
  },
  pulled: {
    name: 'messages_pulled_total',
    type: 'counter',
    help: 'Messages that pullData and pullBatch have given.',
    labels: ['name', 'driver', 'queue'],
  },
  handled: {
    name: 'messages_handled_total',
    type: 'counter',
    help: 'Deliveries to handlers of subscriptions, by what became of them.',
    labels: ['name', 'driver', 'queue', 'outcome'],
  },
  deadLettered: {
    name: 'messages_dead_lettered_total',
    type: 'counter',
    help: 'Messages that handlers of this process, or their schemas, made dead letters.',
    labels: ['name', 'driver', 'queue', 'reason'],
  },
  handling: {
    name: 'message_handling_duration_seconds',
    type: 'histogram',
    help: 'How long handlers took, a batch being one.',
    labels: ['name', 'driver', 'queue', 'outcome'],
    buckets: DURATION_BUCKETS,
  },
  inFlight: {
    name: 'messages_in_flight',
    type: 'upDown',
    help: 'Messages that handlers have in hand.',
    labels: ['name', 'driver', 'queue'],
  },
} as const satisfies Record<string, MetricDefinition>;
