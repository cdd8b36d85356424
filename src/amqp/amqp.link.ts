import type { ChannelModel, ConfirmChannel } from 'amqplib';
import { withDeadline } from '../core/deadline.js';
import { errorMessage, HubError, type HubErrorOptions } from '../core/errors.js';
import type { StoreLogger } from '../embedded/store-logger.js';
import { AmqpConnector } from './amqp.connector.js';
import { amqpError, faultText } from './amqp.errors.js';
import { FirstAttempts } from './amqp.first-attempts.js';
import { amqpNodes, type AmqpNode } from './amqp.node.js';
import type { AmqpOptions } from './amqp.options.js';
import { SdkLogger } from './amqp.sdk-logger.js';

/** Most time of {@link AmqpLink.close}, in ms. */
const CLOSE_MS = 2_000;

/** What happens to a link; none of these may throw. */
export interface AmqpLinkListener {
  /** The connection is there: for the first time, or again. Channels of an earlier one are gone. */
  up?(): void;
  /**
   * The connection is lost, and so is every channel; it is being opened again. Not called by `close()`.
   * @param error what amqplib said; its `code` is the broker's, when the broker closed it
   */
  down?(why: string, error: unknown): void;
  /** The broker takes no messages for now: a resource alarm (memory, disk). */
  blocked?(reason: string): void;
  /** The broker takes messages again, or the blocked connection is gone. */
  unblocked?(): void;
  /** The link is closed for good. */
  closed?(): void;
}

/** One connection to a broker, which comes back by itself when it is lost. */
export class AmqpLink {
  readonly #name: string;
  readonly #listeners = new Set<{ listener: AmqpLinkListener }>();
  /** Called when the connection is there or is closed. */
  readonly #waiting = new Set<() => void>();
  #connector: AmqpConnector | undefined;
  #connection: ChannelModel | undefined;
  #opening: Promise<void> | undefined;
  /** Ends the first attempts. */
  #abandon: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #blocked: string | undefined;
  #fault: string | undefined = 'not opened yet';
  /** When the connection was lost, while it is. */
  #lostAt: number | undefined;
  /** The code of the last fault of this outage that was logged. */
  #logged: string | undefined;

  /** @param role what the broker shows behind the connection's name */
  constructor(
    private readonly options: AmqpOptions,
    role: 'publish' | 'consume',
    private readonly logger: StoreLogger,
    private readonly source: HubErrorOptions,
  ) {
    this.#name = `${options.connectionName} ${role}`;
  }

  /** Whether the connection is there. */
  get up(): boolean {
    return this.#connection !== undefined;
  }

  /** Why the broker takes no messages for now; `undefined` while it does. */
  get blocked(): string | undefined {
    return this.#blocked;
  }

  /** Why the connection is not there; `undefined` while it is. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /**
   * Connects, within `connectTimeout` as a whole; every node is tried once. Rejects with `UNAUTHORIZED` (the broker
   * refused the credentials), `CONFIG_INVALID` (no such vhost, TLS on one side only, a certificate that is not trusted)
   * or `UNAVAILABLE`, and leaves nothing open then: it can be called again. Afterwards the connection is kept.
   */
  open(): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(this.#closedError());
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** Gives the connection up, as if it were lost, and opens it again. */
  drop(why: string): void {
    if (this.#closing === undefined && this.up) this.#connector?.drop(why);
  }

  /** Ends the connection for good, within 2 s. Never rejects; can be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * A new channel with confirms and an `error` listener (an `error` is always followed by `close`). `UNAVAILABLE` when
   * there is no connection, or no answer within `connectTimeout`; `CLOSED` after {@link close}.
   */
  async channel(): Promise<ConfirmChannel> {
    if (this.#closing !== undefined) throw this.#closedError();
    const connection = this.#connection;
    if (connection === undefined) throw this.#unavailable();
    const opened = connection.createConfirmChannel();
    const { connectTimeout } = this.options;
    let late = false;
    try {
      const channel = await withDeadline(opened, connectTimeout, () => {
        late = true;
        const text = `the broker opened no channel within ${connectTimeout} ms.`;
        return new HubError('UNAVAILABLE', text, this.source);
      });
      // Without a listener, an error of the channel would be one of the connection. Its user hears of it.
      channel.on('error', () => undefined);
      return channel;
    } catch (error) {
      if (late) void opened.then((channel) => channel.close()).catch(() => undefined);
      throw this.#closing === undefined ? amqpError(error, this.source, 'no channel') : this.#closedError();
    }
  }

  /** Calls `listener` from now on; returns how to end that. */
  listen(listener: AmqpLinkListener): () => void {
    // One that is given twice is called twice.
    const entry = { listener };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** Waits until the connection is there, at most `ms` (`UNAVAILABLE`); `ABORTED` by `signal`, `CLOSED` after {@link close}. */
  async whenUp(ms: number, signal?: AbortSignal): Promise<void> {
    if (this.#closing === undefined && !this.up) {
      let wake: () => void = () => undefined;
      const changed = new Promise<void>((resolve) => (wake = resolve));
      this.#waiting.add(wake);
      try {
        await withDeadline(changed, ms, () => this.#unavailable(), signal);
      } finally {
        this.#waiting.delete(wake);
      }
    }
    if (this.#closing !== undefined) throw this.#closedError();
  }

  async #open(): Promise<void> {
    const { connectTimeout } = this.options;
    const nodes = amqpNodes(this.options, this.#name, this.source);
    const attempts = new FirstAttempts(nodes, connectTimeout, this.source);
    const connector = new AmqpConnector(
      nodes,
      this.options.reconnect,
      // A node that hangs leaves time for the others.
      () => (attempts.over ? connectTimeout : connectTimeout / nodes.length),
      new SdkLogger(),
      {
        up: (connection, node) => {
          this.#onUp(connection, node);
          attempts.succeed();
        },
        failed: (error, node) => (attempts.over ? this.#onFailed(error, node) : attempts.fail(error, node)),
        down: (error, node) => this.#onDown(error, node),
        blocked: (reason) => this.#onBlocked(reason),
        unblocked: () => this.#onUnblocked(),
      },
    );
    this.#connector = connector;
    this.#abandon = () => attempts.give(this.#closedError());
    connector.start();
    try {
      await attempts.done;
    } catch (error) {
      await connector.close(CLOSE_MS);
      this.#fault = errorMessage(error);
      throw error;
    }
  }

  async #close(): Promise<void> {
    const blocked = this.#blocked !== undefined;
    this.#connection = undefined;
    this.#blocked = undefined;
    this.#fault = 'closed';
    // Later, so that those who are woken see that it is closing.
    await Promise.resolve();
    this.#abandon?.();
    this.#wake();
    if (blocked) this.#tell((listener) => listener.unblocked?.());
    this.#tell((listener) => listener.closed?.());
    await this.#connector?.close(CLOSE_MS);
    this.#listeners.clear();
  }

  #onUp(connection: ChannelModel, node: AmqpNode): void {
    if (this.#closing !== undefined) return;
    this.#connection = connection;
    this.#fault = undefined;
    if (this.#lostAt !== undefined) {
      const seconds = ((performance.now() - this.#lostAt) / 1_000).toFixed(1);
      this.logger.log(`the connection "${this.#name}" is back after ${seconds} s, at ${node.label}.`);
    }
    this.#lostAt = undefined;
    this.#logged = undefined;
    this.#wake();
    this.#tell((listener) => listener.up?.());
  }

  #onDown(error: unknown, node: AmqpNode): void {
    if (this.#closing !== undefined) return;
    const why = faultText(error);
    const blocked = this.#blocked !== undefined;
    this.#connection = undefined;
    this.#blocked = undefined;
    this.#fault = why;
    this.#lostAt ??= performance.now();
    this.logger.warn(`the connection "${this.#name}" to ${node.label} is lost: ${why}. It is opened again.`);
    this.#tell((listener) => listener.down?.(why, error));
    if (blocked) this.#tell((listener) => listener.unblocked?.());
  }

  #onFailed(error: unknown, node: AmqpNode): void {
    const { code } = amqpError(error, this.source);
    const why = faultText(error);
    this.#fault = why;
    const line = `the connection "${this.#name}" could not be opened at ${node.label}: ${why}`;
    // That it is not reachable was said when it was lost; that it now refuses us is news, once.
    if (code === 'UNAVAILABLE' || code === this.#logged) return this.logger.debug(line);
    this.#logged = code;
    this.logger.warn(line);
  }

  #onBlocked(reason: string): void {
    if (this.#connection === undefined) return;
    this.#blocked = reason;
    this.logger.warn(`the broker takes no messages on the connection "${this.#name}" for now: ${reason}.`);
    this.#tell((listener) => listener.blocked?.(reason));
  }

  #onUnblocked(): void {
    if (this.#blocked === undefined) return;
    this.#blocked = undefined;
    this.logger.log(`the broker takes messages on the connection "${this.#name}" again.`);
    this.#tell((listener) => listener.unblocked?.());
  }

  #tell(call: (listener: AmqpLinkListener) => void): void {
    for (const { listener } of [...this.#listeners]) {
      try {
        call(listener);
      } catch (error) {
        // It would surface in the SDK, as if the connection were at fault.
        this.logger.error(`a listener of the connection "${this.#name}" threw: ${errorMessage(error)}`);
      }
    }
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #unavailable(): HubError {
    return new HubError('UNAVAILABLE', `there is no connection to RabbitMQ: ${this.#fault}.`, this.source);
  }

  #closedError(): HubError {
    return new HubError('CLOSED', 'the connection to RabbitMQ is closed.', this.source);
  }
}
