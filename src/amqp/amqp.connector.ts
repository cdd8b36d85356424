import type { LoggerService } from '@nestjs/common';
import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import type { ChannelModel } from 'amqplib';
import { retryDelay } from '../core/retry.js';
import type { AmqpNode, AmqpNodes } from './amqp.node.js';
import type { AmqpReconnectOptions } from './amqp.options.js';

/** Connection manager of the SDK. */
type Manager = AmqpConnection['managedConnection'];
/** What it is told of a broker. */
type ConnectionUrl = { url: string; connectionOptions: NonNullable<Manager['connectionOptions']> };

/** How long a broker that said goodbye has to end the connection, in ms. */
const LINGER_MS = 1_000;

/** What becomes of the attempts and connections of an {@link AmqpConnector}. */
export interface AmqpConnectorEvents {
  up(connection: ChannelModel, node: AmqpNode): void;
  down(error: unknown, node: AmqpNode): void;
  /** An attempt failed; unless it is closed here, the next one comes after a wait. */
  failed(error: unknown, node: AmqpNode): void;
  blocked(reason: string): void;
  unblocked(): void;
}

/** Keeps one connection to one of several nodes: the attempts of golevelup's `AmqpConnection`, each with a deadline. */
export class AmqpConnector {
  readonly #connection: AmqpConnection;
  #manager: Manager | undefined;
  #model: ChannelModel | undefined;
  /** Destroys the socket of the attempt or connection there is. */
  #socket = new AbortController();
  #deadline: NodeJS.Timeout | undefined;
  #node: AmqpNode;
  #turn = 0;
  #failures = 0;
  #closed = false;

  /** @param attemptTimeout most time of one attempt in ms; asked for before each */
  constructor(
    private readonly nodes: AmqpNodes,
    private readonly reconnect: AmqpReconnectOptions,
    private readonly attemptTimeout: () => number,
    logger: LoggerService,
    private readonly events: AmqpConnectorEvents,
  ) {
    this.#node = nodes[0];
    this.#connection = new AmqpConnection({
      name: 'experiment-hub',
      uri: [],
      logger,
      enableDirectReplyTo: false,
      registerHandlers: false,
      connectionInitOptions: { wait: false, skipConnectionFailedLogging: true, skipDisconnectFailedLogging: true },
      connectionManagerOptions: { findServers: async () => this.#next() },
    });
  }

  /** Begins to connect, and connects again whenever the connection is lost. Never throws. */
  start(): void {
    const started = this.#connection.init();
    // It has set up its own channel then, which nobody uses.
    started.catch(() => undefined);
    const manager = this.#connection.managedConnection;
    this.#manager = manager;
    manager.on('connect', ({ connection }: { connection: unknown }) => this.#onConnect(connection as ChannelModel));
    manager.on('connectFailed', ({ err }) => this.#onFailed(err));
    manager.on('disconnect', ({ err }) => this.#onDisconnect(err));
    manager.on('blocked', ({ reason }) => this.events.blocked(reason));
    manager.on('unblocked', () => this.events.unblocked());
  }

  /** Destroys the connection; the next attempt follows, as after any loss. */
  drop(why: string): void {
    this.#socket.abort(new Error(why));
  }

  /** Ends it, within `ms`: what does not end in time is destroyed. Never rejects. */
  async close(ms: number): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#deadline);
    if (this.#manager === undefined) return;
    if (!this.#manager.isConnected()) this.#socket.abort(new Error('closed'));
    // An attempt that is under way fails now, and the SDK waits once more before it sees that it is closed.
    this.#manager.reconnectTimeInSeconds = 0;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      // The SDK would wait on for a connection that is lost meanwhile.
      this.#model?.once('error', () => resolve());
    });
    // It is also rejected when the connection is lost meanwhile.
    // Not that of golevelup's connection: it closes its channels first, and does not come to the manager when that fails.
    await Promise.race([this.#manager.close().catch(() => undefined), late]);
    clearTimeout(timer);
    this.#socket.abort(new Error('closed'));
  }

  /** The node and the options of the next attempt. */
  #next(): ConnectionUrl {
    if (this.#closed) throw new Error('closed');
    this.#node = this.nodes[this.#turn % this.nodes.length] ?? this.nodes[0];
    this.#turn += 1;
    const socket = new AbortController();
    this.#socket = socket;
    const ms = this.attemptTimeout();
    // Not the socket's own timeout: that one starts anew with every byte.
    this.#deadline = setTimeout(() => socket.abort(new Error(`no answer within ${ms} ms`)), ms);
    const connectionOptions = { ...this.#node.socket, signal: socket.signal };
    // The SDK hands an object on as it is, though its type asks for text.
    return { url: this.#node.connect as unknown as string, connectionOptions } as ConnectionUrl;
  }

  #onConnect(connection: ChannelModel): void {
    clearTimeout(this.#deadline);
    this.#failures = 0;
    this.#model = connection;
    if (!this.#closed) this.events.up(connection, this.#node);
  }

  #onFailed(error: unknown): void {
    clearTimeout(this.#deadline);
    if (this.#closed) return;
    const { aborted, reason } = this.#socket.signal;
    this.#failures += 1;
    this.#wait();
    this.events.failed(aborted ? reason : error, this.#node);
  }

  #onDisconnect(error: unknown): void {
    const socket = this.#socket;
    // A peer that is silent never closes its side, and a half-open socket keeps the process alive.
    const linger = setTimeout(() => socket.abort(new Error('disconnected')), LINGER_MS);
    linger.unref();
    if (this.#closed) return;
    this.#wait();
    this.events.down(error, this.#node);
  }

  /** Tells the SDK how long to wait: it looks right after it has told of a failure. */
  #wait(): void {
    if (this.#manager === undefined) return;
    // Every node has its turn at once, then they rest together.
    const rounds = this.#failures / this.nodes.length;
    const wait = Number.isInteger(rounds) ? retryDelay(this.reconnect, rounds) : 0;
    this.#manager.reconnectTimeInSeconds = wait / 1_000;
  }
}
