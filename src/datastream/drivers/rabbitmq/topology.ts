import type { Options } from 'amqplib';
import { DEAD_LETTER_SUFFIX, MAX_DURATION_MS, type ResolvedQueueOptions } from '../../datastream.validation.js';

/** What all queues of a plugin have in common. */
export interface RabbitQueueSettings {
  queueType: 'quorum' | 'classic';
  durable: boolean;
  priorities: boolean;
}

/** Highest priority of a message. */
const MAX_PRIORITY = 9;

/** Quorum queues of RabbitMQ 4 drop after 20 deliveries unless told otherwise, and each look at a dead letter is one. */
const NO_DELIVERY_LIMIT = 1_000_000_000;

/** Steps of delays in one power of ten, in tenths: ten queues cover a tenfold range, none over a third too long. */
const STEPS = [10, 12, 15, 20, 25, 30, 40, 50, 60, 80];

const DELAY_STEPS: readonly number[] = makeDelaySteps();

/** Name of the queue of the dead letters of `queue`. */
export function deadQueue(queue: string): string {
  return `${queue}${DEAD_LETTER_SUFFIX}`;
}

/** Name of the queue in which messages of `queue` wait for `ms`, which is one of {@link delaySteps}. */
export function delayQueue(queue: string, ms: number): string {
  return `${queue}~delay.${ms}`;
}

/** All delays in ms for which there can be a queue, ascending: a bounded number, so that all of them can be deleted. */
export function delaySteps(): readonly number[] {
  return DELAY_STEPS;
}

/** The smallest of {@link delaySteps} that is not shorter than `ms`; at most the longest one, about 49 days. */
export function delayStep(ms: number): number {
  return DELAY_STEPS.find((step) => step >= ms) ?? MAX_DURATION_MS;
}

/** How a data queue is declared. */
export function dataQueueOptions(
  queue: string,
  settings: RabbitQueueSettings,
  { maxLength, messageTtl, deliveryLimit }: ResolvedQueueOptions,
): Options.AssertQueue {
  const quorum = settings.queueType === 'quorum';
  return {
    durable: settings.durable,
    arguments: {
      'x-queue-type': settings.queueType,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': deadQueue(queue),
      // The other policy, drop-head, confirms a message and drops another one.
      'x-overflow': 'reject-publish',
      ...(maxLength === null ? {} : { 'x-max-length': maxLength }),
      ...(messageTtl === null ? {} : { 'x-message-ttl': messageTtl }),
      // The broker counts returns: a limit of 0 allows one delivery.
      ...(quorum ? { 'x-delivery-limit': deliveryLimit - 1, 'x-dead-letter-strategy': 'at-least-once' } : {}),
      ...(!quorum && settings.priorities ? { 'x-max-priority': MAX_PRIORITY } : {}),
    },
  };
}

/** How a dead letter queue is declared. */
export function deadQueueOptions(): Options.AssertQueue {
  return { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': NO_DELIVERY_LIMIT } };
}

/** How the queue for the messages of `queue` that wait for `ms` is declared. */
export function delayQueueOptions(queue: string, ms: number): Options.AssertQueue {
  return {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-message-ttl': ms,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': queue,
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    },
  };
}

function makeDelaySteps(): number[] {
  const steps = new Set<number>();
  for (let power = 1; power <= MAX_DURATION_MS; power *= 10) {
    // Below 10 ms some steps are no whole numbers: rounded up, they are the next ones.
    for (const step of STEPS) steps.add(Math.ceil((step * power) / 10));
  }
  return [...steps].filter((step) => step < MAX_DURATION_MS).concat(MAX_DURATION_MS);
}
