import type { ConfirmChannel } from 'amqplib';
import type { HubErrorOptions } from '../core/errors.js';
import type { StoreLogger } from '../embedded/store-logger.js';
import type { AmqpOptions } from './amqp.options.js';

/** What happens to a link; none of these may throw. */
export interface AmqpLinkListener {
  /** The connection is there: for the first time, or again. Channels of an earlier one are gone. */
  up?(): void;
  /** The connection is lost, and so is every channel; it is being opened again. Not called by `close()`. */
  down?(why: string): void;
  /** The broker takes no messages for now: a resource alarm (memory, disk). */
  blocked?(reason: string): void;
  /** The broker takes messages again, or the blocked connection is gone. */
  unblocked?(): void;
}

/** One connection to a broker, which comes back by itself when it is lost. */
export class AmqpLink {
  /** @param role what the broker shows behind the connection's name */
  constructor(
    readonly options: AmqpOptions,
    readonly role: 'publish' | 'consume',
    readonly logger: StoreLogger,
    readonly source: HubErrorOptions,
  ) {}

  /** Whether the connection is there. */
  get up(): boolean {
    throw new Error('to be written');
  }

  /** Why the broker takes no messages for now; `undefined` while it does. */
  get blocked(): string | undefined {
    throw new Error('to be written');
  }

  /** Why the connection is not there; `undefined` while it is. */
  get fault(): string | undefined {
    throw new Error('to be written');
  }

  /**
   * Connects, within `connectTimeout` as a whole; every node is tried once. Rejects with `UNAUTHORIZED` (the broker
   * refused the credentials), `CONFIG_INVALID` (no such vhost, TLS on one side only, a certificate that is not trusted)
   * or `UNAVAILABLE`, and leaves nothing open then: it can be called again. Afterwards the connection is kept.
   */
  open(): Promise<void> {
    throw new Error('to be written');
  }

  /** Ends the connection for good, within 2 s. Never rejects; can be called again. */
  close(): Promise<void> {
    throw new Error('to be written');
  }

  /**
   * A new channel with confirms and an `error` listener (an `error` is always followed by `close`). `UNAVAILABLE` when
   * there is no connection, or no answer within `connectTimeout`; `CLOSED` after {@link close}.
   */
  channel(): Promise<ConfirmChannel> {
    throw new Error('to be written');
  }

  /** Calls `listener` from now on; returns how to end that. */
  listen(_listener: AmqpLinkListener): () => void {
    throw new Error('to be written');
  }

  /** Waits until the connection is there, at most `ms` (`UNAVAILABLE`); `ABORTED` by `signal`, `CLOSED` after {@link close}. */
  whenUp(_ms: number, _signal?: AbortSignal): Promise<void> {
    throw new Error('to be written');
  }
}
