import type { Dispatcher } from 'undici';
import { Redactor } from '../../../../core/redact.js';
import { answerError } from '../mlflow.errors.js';
import type { MarkingAgent } from './mlflow.agent.js';
import type { Attempt } from './mlflow.attempt.js';
import type { Headers } from './mlflow.auth.js';
import { sourceError } from './mlflow.connection-errors.js';
import { readBeginning } from './mlflow.response-body.js';
import { retryAfterMs } from './mlflow.retry.js';
import type { HttpMethod } from './mlflow.transport.types.js';
import { AttemptBody } from './mlflow.attempt-body.js';

/** A request as it goes over the wire, once for each attempt. */
export interface WireRequest {
  method: HttpMethod;
  /** Scheme, host and port. */
  origin: string;
  /** Path and query. */
  target: string;
  /** Path without the query, for messages. */
  path: string;
  /** Address of the server, for messages. */
  server: string;
  /** Whether it goes to another server than MLflow: no credentials then. */
  foreign: boolean;
  headers: Headers;
  body?: string | AttemptBody;
}

/** Refusals that mean the same whatever the body says. */
const SPEAKING_STATUSES: ReadonlySet<number> = new Set([401, 403, 407, 408, 413, 429]);

/** An answer whose body has to be read. */
export type WireResponse = Dispatcher.ResponseData<Attempt>;

/**
 * Sends a request once and resolves to a successful answer. Rejects with a HubError, which quotes an answer's words
 * without secrets.
 * @param secrets values that no message may show; asked for when there is an answer to quote
 */
export async function exchange(
  agent: MarkingAgent,
  attempt: Attempt,
  request: WireRequest,
  secrets: () => readonly string[],
): Promise<WireResponse> {
  const response = await send(agent, attempt, request);
  const { statusCode: status, headers } = response;
  if (status >= 200 && status < 300) return response;
  const { text, fault } = await readBeginning(response.body);
  // Half of a refusal does not say what was refused: that is a lost answer.
  if (fault !== undefined && !SPEAKING_STATUSES.has(status) && status >= 400 && status < 500) {
    throw attempt.errorOf(fault);
  }
  const redactor = new Redactor(secrets());
  const location = headerText(headers['location']);
  const retryAfter = retryAfterMs(headerText(headers['retry-after']));
  throw answerError({
    status,
    method: request.method,
    path: request.path,
    server: request.server,
    body: text,
    hide: (words) => redactor.text(words),
    ...(location === undefined ? {} : { location }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(request.foreign ? { foreign: true } : {}),
  });
}

/** The headers of an answer by lower-case name, each as one text. */
export function headersOf(response: WireResponse): Headers {
  const entries = Object.entries(response.headers).map(([name, value]) => [name, headerText(value) ?? '']);
  return Object.fromEntries(entries) as Headers;
}

async function send(agent: MarkingAgent, attempt: Attempt, request: WireRequest): Promise<WireResponse> {
  const { method, origin, target, headers, body } = request;
  try {
    const answer = agent.request<Attempt>({
      method,
      origin,
      path: target,
      headers: { ...headers },
      signal: attempt.signal,
      opaque: attempt,
      // undici takes anything that can be iterated; its types name streams only.
      ...(body === undefined ? {} : { body: body as string }),
    });
    return await unlessAborted(answer, attempt.signal);
  } catch (error) {
    if (body instanceof AttemptBody && body.hasFailed && !attempt.signal.aborted) throw sourceError(body.failure);
    throw attempt.errorOf(error);
  }
}

/** undici notices a signal only once the request has a connection, which may be never. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}
