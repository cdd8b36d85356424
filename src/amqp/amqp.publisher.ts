import type { Options } from 'amqplib';
import type { HubErrorOptions } from '../core/errors.js';
import type { AmqpLink } from './amqp.link.js';
import type { AmqpOptions } from './amqp.options.js';

/** A message on its way to an exchange. */
export interface AmqpMessage {
  exchange: string;
  routingKey: string;
  content: Buffer;
  /** `messageId` has to be set: a message is sent again under it when its confirm was lost. */
  properties: Options.Publish;
}

/** How one message is published. */
export interface AmqpPublishOptions {
  /** Gives up waiting (`ABORTED`); a message that was sent already may still arrive. */
  signal?: AbortSignal;
  /** Most time in ms until the broker's confirm. Default `publishTimeout`. */
  timeout?: number;
}

/**
 * Publishes messages on one link, in order and pipelined. Each promise resolves when the broker has taken the message
 * over. One whose confirm is lost with the connection is sent again with the same id: at least once.
 */
export class AmqpPublisher {
  constructor(
    readonly link: AmqpLink,
    readonly options: Pick<AmqpOptions, 'publishTimeout' | 'whileDisconnected'>,
    readonly source: HubErrorOptions,
  ) {}

  /** Messages that are not settled yet. */
  get pending(): number {
    throw new Error('to be written');
  }

  /**
   * Resolves when the broker has confirmed the message. Rejects with `NOT_FOUND` (no queue got it), `CONFLICT` (the
   * broker refused it, as a full queue does), `UNAVAILABLE` (deadline or lost connection; `details.outcome` is `unsent` or `unknown`),
   * `ABORTED`, or `CLOSED`.
   */
  publish(_message: AmqpMessage, _options?: AmqpPublishOptions): Promise<void> {
    throw new Error('to be written');
  }

  /** Waits until nothing is pending, at most `ms` (`UNAVAILABLE`). */
  flush(_ms: number): Promise<void> {
    throw new Error('to be written');
  }

  /** Rejects what is pending with `CLOSED` and closes the channel; the link stays. */
  close(): Promise<void> {
    throw new Error('to be written');
  }
}
