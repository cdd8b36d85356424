import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { TcpPipe } from './tcp-pipe.js';

/** What is frozen: what the clients send, what the server answers, or both. */
export type TcpDirection = 'requests' | 'answers' | 'both';

/** A TCP proxy on 127.0.0.1 before a real server, for the faults that only a network has. */
export class TcpProxy {
  /** Connections that were accepted since the start. */
  accepted = 0;
  #port = 0;
  #latency = 0;
  #frozen: TcpDirection | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #links = new Set<{ requests: TcpPipe; answers: TcpPipe }>();
  readonly #server = createServer({ allowHalfOpen: true }, (client) => this.#link(client));

  private constructor(
    private readonly targetPort: number,
    private readonly targetHost: string,
  ) {}

  /**
   * Starts one on a free port.
   * @param targetPort the server's
   * @param targetHost default 127.0.0.1
   */
  static async start(targetPort: number, targetHost = '127.0.0.1'): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort, targetHost);
    await proxy.accept();
    return proxy;
  }

  /** Where it listens; the same as long as it lives. */
  get port(): number {
    return this.#port;
  }

  /** Clients that are connected now. */
  get connections(): number {
    return this.#links.size;
  }

  /** From now on each direction of each connection is later by this many ms. */
  set latency(ms: number) {
    this.#latency = ms;
    for (const { requests, answers } of this.#links) {
      requests.latency = ms;
      answers.latency = ms;
    }
  }

  /** Destroys all connections; new ones are welcome. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    // Sockets say that they are closed in a later turn only; who asks at once must not be told of what was just cut.
    this.#links.clear();
  }

  /** Refuses new connections; those that are open stay: {@link cut} them, when a server that is gone is meant. */
  refuse(): void {
    if (this.#server.listening) this.#server.close();
  }

  /** Takes new connections again, at the same port. */
  async accept(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /**
   * A network that went silent: sockets stay open and new ones are accepted, but nothing arrives, no end either.
   * What is sent meanwhile is held until {@link thaw}, or lost by {@link cut}. With `answers`, the server gets
   * everything and nobody hears of it.
   * @param direction default `both`
   */
  freeze(direction: TcpDirection = 'both'): void {
    this.thaw();
    this.#frozen = direction;
    for (const link of this.#links) this.#freeze(link);
  }

  /** Ends {@link freeze}: what was held arrives. */
  thaw(): void {
    this.#frozen = undefined;
    for (const { requests, answers } of this.#links) {
      requests.thaw();
      answers.thaw();
    }
  }

  /** Closes it for good, with all connections. */
  stop(): void {
    this.refuse();
    this.cut();
    this.thaw();
  }

  #link(client: Socket): void {
    this.accepted += 1;
    const server = connect({ port: this.targetPort, host: this.targetHost, allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    const link = { requests: new TcpPipe(client, server), answers: new TcpPipe(server, client) };
    link.requests.latency = this.#latency;
    link.answers.latency = this.#latency;
    this.#links.add(link);
    this.#freeze(link);
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        if (client.destroyed && server.destroyed) this.#links.delete(link);
      });
    }
  }

  #freeze({ requests, answers }: { requests: TcpPipe; answers: TcpPipe }): void {
    if (this.#frozen === 'requests' || this.#frozen === 'both') requests.freeze();
    if (this.#frozen === 'answers' || this.#frozen === 'both') answers.freeze();
  }
}
