import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** A request that a played server got. */
export interface PlayedRequest {
  method: string;
  /** Decoded. */
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/** Answers a request; what it returns is sent as JSON, unless it sent something itself. */
export type Play = (
  request: PlayedRequest,
  response: ServerResponse,
) => object | undefined | Promise<object | undefined>;

/** An HTTP server that plays a part which no real one can be brought to play. */
export class PlayedServer {
  readonly requests: PlayedRequest[] = [];

  private constructor(
    private readonly server: Server,
    /** Where it answers. */
    readonly url: string,
  ) {}

  /** Starts it on a free port. */
  static async start(play: Play): Promise<PlayedServer> {
    const server = createServer((request, response) => {
      void (async () => {
        const url = new URL(request.url ?? '/', 'http://played');
        const body = await buffer(request);
        const { method = '', headers } = request;
        const played = { method, path: decodeURIComponent(url.pathname), query: url.searchParams, headers, body };
        started.requests.push(played);
        const answer = await play(played, response);
        if (answer === undefined) return;
        response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
      })().catch(() => response.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const started = new PlayedServer(server, `http://127.0.0.1:${address.port}`);
    return started;
  }

  /** Ends it and its connections. */
  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** Answers with an error as MLflow does. */
export function fail(response: ServerResponse, status: number, errorCode: string, message = 'played'): undefined {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ error_code: errorCode, message }));
}
