import type { RetryPolicy } from '../../../core/retry.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import type { LiveChannel } from './live-channel.js';
import type { Settlement } from './settlement.js';

/** What subscriptions and pulls need of the open plugin. */
export interface ConsumerContext {
  readonly logger: StoreLogger;
  readonly settlement: Settlement;
  /** How patiently a lost consumer is attached again. */
  readonly reconnect: RetryPolicy;
  /** Beginning of the consumers' names at the broker. */
  readonly consumerTag: string;
  /** A new channel for deliveries of a queue. `UNAVAILABLE` when the connection is down. */
  openChannel(queue: string, onClosed: (live: LiveChannel) => void): Promise<LiveChannel>;
  /** Resolves as soon as the consuming connection is up; rejects when the signal fires or the plugin closes. */
  whenUp(signal: AbortSignal): Promise<void>;
  /** Makes a queue again that this process has created and that is gone. */
  restore(queue: string): Promise<void>;
  /** Waits for an answer of the broker, no longer than the plugin does; `TIMEOUT`. */
  withinDeadline<T>(answer: PromiseLike<T>): Promise<T>;
  /** What a failed call of the broker means for callers. */
  explain(error: unknown, queue: string): Error;
}
