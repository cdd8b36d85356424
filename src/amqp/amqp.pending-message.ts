import { setMaxListeners } from 'node:events';
import { abortError } from '../core/deadline.js';
import type { HubError, HubErrorOptions } from '../core/errors.js';
import type { AmqpMessage } from './amqp.message.js';

/** A message that was handed to the publisher and whose promise is not settled, and afterwards the rest of it. */
export class PendingMessage {
  /** Whether its promise is settled. It may still be unconfirmed, and is not sent again then. */
  settled = false;
  /** Whether it was ever written to a connection. */
  sent = false;
  /** What the broker said when it gave it back: no queue got it. */
  returned: string | undefined;
  #resolve: () => void;
  #reject: (error: Error) => void;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  /**
   * @param deadline by `performance.now()`
   * @param onSettled called once, before its promise is settled
   */
  constructor(
    readonly message: AmqpMessage,
    readonly deadline: number,
    resolve: () => void,
    reject: (error: Error) => void,
    private readonly onSettled: () => void,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Rejects with `ABORTED` when `signal` fires. */
  follow(signal: AbortSignal, source: HubErrorOptions): void {
    this.#signal = signal;
    // All messages of a batch may follow one signal; Node warns from the eleventh listener on.
    setMaxListeners(0, signal);
    this.#onAbort = () => this.reject(abortError(signal, { ...source, details: this.details }));
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** For an error about it. */
  get details(): Record<string, unknown> {
    const { exchange, routingKey, properties } = this.message;
    const outcome = this.sent ? 'unknown' : 'unsent';
    return { outcome, messageId: properties.messageId, exchange, routingKey };
  }

  /** The broker has it. */
  resolve(): void {
    if (this.#settle()) this.#resolve();
  }

  reject(error: HubError): void {
    if (this.#settle()) this.#reject(error);
  }

  #settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort);
    this.onSettled();
    return true;
  }
}
