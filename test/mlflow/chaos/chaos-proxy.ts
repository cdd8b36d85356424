import { once } from 'node:events';
import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';

/** What can go wrong between an app and the server. */
export const FAULTS = [
  /** The connection is cut; the server never gets the request. */
  'cut-before',
  /** The server does the work, then the connection is cut. */
  'cut-after',
  /** The server does the work, and half of its answer arrives. */
  'half-answer',
  /** Nobody answers, and the server never gets the request. */
  'silence',
  /** The server does the work, and nobody answers. */
  'silence-after',
  /** The server does the work, and a gateway answers 502 in its place. */
  'gateway-after',
  /** 500 as a web page; the server never gets the request. */
  'status-500',
  /** 429 with `Retry-After: 1`; the server never gets the request. */
  'status-429',
  /** A login page behind a 200; the server never gets the request. */
  'login-page',
  /** The answer is late by up to 400 ms. */
  'delay',
] as const;
/** One of {@link FAULTS}. */
export type Fault = (typeof FAULTS)[number];

/** Chance of each fault, 0 to 1 each and together; the rest of the requests passes. */
export type Weather = Partial<Record<Fault, number>>;

const LATEST = 400;

/** An HTTP proxy on 127.0.0.1 before a real server, with faults at random. */
export class ChaosProxy {
  /** How often each fault came. */
  readonly faults = new Map<Fault, number>();
  /** Requests that passed without a fault. */
  passed = 0;
  #weather: Weather = {};
  #next: Fault[] = [];
  #port = 0;
  readonly #sockets = new Set<Socket>();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #server = createServer((request, response) => {
    void this.#serve(request, response).catch(() => request.socket.destroy());
  });

  private constructor(
    private readonly targetPort: number,
    private readonly random: () => number,
  ) {
    // Longer than the keep-alive of the server behind, so that every cut is one of ours.
    this.#server.keepAliveTimeout = 60_000;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket)).on('error', () => socket.destroy());
    });
  }

  /**
   * Starts one on a free port, in calm weather.
   * @param random decides about each request
   */
  static async start(targetPort: number, random: () => number): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(targetPort, random);
    await proxy.back();
    return proxy;
  }

  /** Where it answers. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** From now on requests fare like this; nothing for calm. */
  set weather(weather: Weather) {
    this.#weather = weather;
  }

  /** The very next requests fare like this, whatever the weather; those that are left of an earlier call do not. */
  next(...faults: Fault[]): void {
    this.#next = faults;
  }

  /** Cuts everything and refuses connections, as a server that is gone does. */
  async away(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Listens again, at the same port. */
  async back(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Closes it for good. */
  async stop(): Promise<void> {
    if (this.#server.listening) await this.away();
    this.#agent.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fault = this.#choose();
    if (fault === undefined) this.passed += 1;
    else this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
    const { socket } = request;
    if (fault === 'cut-before') return void socket.destroy();
    const body = await buffer(request);
    if (fault === 'silence') return;
    if (fault === 'status-500') return answer(response, 500, 'text/html', '<html>Internal Server Error</html>');
    if (fault === 'status-429') return answer(response, 429, 'text/plain', 'slow down', { 'retry-after': '1' });
    if (fault === 'login-page') return answer(response, 200, 'text/html', '<!doctype html><html>Sign in</html>');
    const { status, headers, content } = await this.#forward(request, body);
    if (fault === 'delay') await setTimeout(this.random() * LATEST);
    if (fault === 'silence-after') return;
    if (fault === 'cut-after') return void socket.destroy();
    if (fault === 'gateway-after') return answer(response, 502, 'text/html', '<html>Bad Gateway</html>');
    response.writeHead(status, { ...headers, 'content-length': content.length });
    if (fault !== 'half-answer') return void response.end(content);
    response.write(content.subarray(0, content.length >> 1), () => socket.destroy());
  }

  #choose(): Fault | undefined {
    const next = this.#next.shift();
    if (next !== undefined) return next;
    let dice = this.random();
    for (const fault of FAULTS) {
      dice -= this.#weather[fault] ?? 0;
      if (dice < 0) return fault;
    }
    return undefined;
  }

  async #forward(
    { method = 'GET', url = '/', headers }: IncomingMessage,
    body: Buffer,
  ): Promise<{ status: number; headers: Record<string, string>; content: Buffer }> {
    const { 'content-type': type = '' } = headers;
    const forwarded = httpRequest({
      ...{ host: '127.0.0.1', port: this.targetPort, agent: this.#agent, method, path: url },
      headers: { ...(type === '' ? {} : { 'content-type': type }), 'content-length': body.length },
    });
    forwarded.end(body);
    const [answered] = (await once(forwarded, 'response')) as [IncomingMessage];
    const content = await buffer(answered);
    return {
      status: answered.statusCode ?? 502,
      headers: { 'content-type': answered.headers['content-type'] ?? 'text/plain' },
      content,
    };
  }
}

function answer(
  response: ServerResponse,
  status: number,
  type: string,
  text: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': type, ...headers }).end(text);
}
