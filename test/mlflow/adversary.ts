import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import type { ServerOptions } from 'node:https';

/** A request as it arrived. */
export interface SeenRequest {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** What a server answers with. */
export interface Reply {
  /** Default 200. */
  status?: number;
  headers?: Record<string, string>;
  /** An object is sent as JSON. */
  body?: string | object;
}

/** How a server behaves: a reply, or what it does with the connection itself. */
export type Behaviour = Reply | ((...connection: Parameters<RequestListener>) => void);

/** A server that notes what it gets and behaves as told, request by request. */
export class Adversary {
  /** What arrived, in order; a request is here when its body is complete. */
  readonly seen: SeenRequest[] = [];
  /** Connections that were opened. */
  connections = 0;
  /** What the next requests get, in order. */
  #script: Behaviour[] = [];
  #always: Behaviour = { body: {} };
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly scheme: string,
  ) {
    server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.#sockets.add(socket.on('close', () => this.#sockets.delete(socket)));
    });
    server.on('request', (request, response) => {
      let body = '';
      request.setEncoding('latin1').on('data', (text: string) => (body += text));
      request.on('end', () => {
        this.seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
        const behaviour = this.#script.shift() ?? this.#always;
        if (typeof behaviour === 'function') {
          behaviour(request, response);
          return;
        }
        const { status = 200, headers = {}, body: reply = '' } = behaviour;
        const isText = typeof reply === 'string';
        response.writeHead(status, { ...(isText ? {} : { 'content-type': 'application/json' }), ...headers });
        response.end(isText ? reply : JSON.stringify(reply));
      });
    });
  }

  /** Starts one, on any free port unless it is named; with `tls`, for https. */
  static async start({ tls, port = 0 }: { tls?: ServerOptions; port?: number } = {}): Promise<Adversary> {
    const server = tls === undefined ? createServer() : createTlsServer(tls);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new Adversary(server, tls === undefined ? 'http' : 'https');
  }

  /** Where it answers. */
  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return `${this.scheme}://127.0.0.1:${address.port}`;
  }

  /** Behaves so, one by one for the next requests; {@link always} after that. */
  next(...behaviours: Behaviour[]): this {
    this.#script.push(...behaviours);
    return this;
  }

  /** Behaves so whenever nothing else was said. */
  always(behaviour: Behaviour): this {
    this.#always = behaviour;
    return this;
  }

  /** Ends it with all its connections. */
  async stop(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** Cuts the connection after the request was received. */
export const cut: Behaviour = (request) => request.socket.destroy();

/** Never answers. */
export const silence: Behaviour = () => undefined;

/** Certificates for 127.0.0.1 of a private authority, and one for a client; PEM texts. Made with the openssl command. */
export interface TestCertificates {
  ca: string;
  server: { cert: string; key: string };
  client: { cert: string; key: string };
}

/** Makes new certificates, valid for a day. */
export function makeCertificates(): TestCertificates {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], timeout: 30_000 });
  };
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  try {
    openssl('req', '-x509', ...key, '-subj', '/CN=test authority', '-keyout', 'ca.key', '-out', 'ca.crt');
    for (const name of ['server', 'client']) {
      const extension = name === 'server' ? ['-addext', 'subjectAltName=IP:127.0.0.1'] : [];
      const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-keyout', `${name}.key`, '-out', `${name}.crt`];
      openssl('req', '-x509', ...key, '-subj', `/CN=${name}`, ...extension, ...signed);
    }
    const pair = (name: string) => ({ cert: read(`${name}.crt`), key: read(`${name}.key`) });
    return { ca: read('ca.crt'), server: pair('server'), client: pair('client') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
