import type { ConfirmChannel } from 'amqplib';
import type { HubErrorOptions } from '../core/errors.js';
import type { AmqpLink } from './amqp.link.js';

/** Declarations, counts and the like: one at a time, on a channel of their own that a failing one closes. */
export class AmqpRpc {
  /** @param timeout most time of each call in ms, the wait for its turn included */
  constructor(
    readonly link: AmqpLink,
    readonly timeout: number,
    readonly source: HubErrorOptions,
  ) {}

  /**
   * Runs `work` when its turn comes, and resolves to what it returns. Rejects with the code of `amqpError`, with
   * `UNAVAILABLE` after the timeout, and with `CLOSED` after {@link close}.
   * @param operation for the error
   */
  run<T>(_operation: string, _work: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
    throw new Error('to be written');
  }

  /** Rejects what waits with `CLOSED` and closes the channel; the link stays. */
  close(): Promise<void> {
    throw new Error('to be written');
  }
}
