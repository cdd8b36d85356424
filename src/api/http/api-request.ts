import type { IncomingMessage } from 'node:http';

/** What Express and Fastify requests have in common, as far as the API reads it. @internal */
export interface ApiRequest {
  method: string;
  url: string;
  originalUrl?: string;
  headers: Record<string, string | string[] | undefined>;
  params: unknown;
  query: unknown;
  body?: unknown;
  raw?: IncomingMessage;
}

/** Node's own request below the adapter's. @internal */
export function rawRequest(request: ApiRequest): IncomingMessage {
  return request.raw ?? (request as unknown as IncomingMessage);
}

/** The path of a request as the client sent it, without its query. @internal */
export function pathOf(request: ApiRequest): string {
  const url = request.originalUrl ?? request.url;
  return url.split('?', 1)[0] ?? url;
}

/** Whether a request came with a body (RFC 9112, section 6); one of length 0 is none. */
export function hasBody({ method, headers }: ApiRequest): boolean {
  if (method === 'GET' || method === 'HEAD') return false;
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
