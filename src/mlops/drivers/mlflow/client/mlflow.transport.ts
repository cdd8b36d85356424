import type { Readable } from 'node:stream';
import { abortError } from '../../../../core/deadline.js';
import { HubError } from '../../../../core/errors.js';
import { looksLikeHtml, MLFLOW_SOURCE } from '../mlflow.errors.js';
import { MarkingAgent } from './mlflow.agent.js';
import { Attempt } from './mlflow.attempt.js';
import { Authenticator, type Headers } from './mlflow.auth.js';
import { Call } from './mlflow.call.js';
import { TRANSPORT_DEFAULTS, type TransportOptions } from './mlflow.client.options.js';
import { DownloadBody } from './mlflow.download-body.js';
import { exchange, headersOf, type WireRequest, type WireResponse } from './mlflow.exchange.js';
import { encodeJson, parseJsonObject } from './mlflow.json.js';
import { MAX_JSON, MAX_TEXT, readText } from './mlflow.response-body.js';
import { withRetries } from './mlflow.retry.js';
import { parseForeignUrl, parseServerUri, requestTarget, type ServerUri } from './mlflow.server-uri.js';
import { foreignTlsOptions, tlsOptions } from './mlflow.tls.js';
import type { Download, JsonRequest, MLflowRequest, MLflowTransport, UploadRequest } from './mlflow.transport.types.js';
import { AttemptBody } from './mlflow.attempt-body.js';

/** How one kind of request is sent and read. */
interface Shape<T> {
  headers: Headers;
  foreignUrl?: string;
  /** Whether bytes flow for as long as they come: no time limit but that for progress. */
  isStream?: boolean;
  /** The body of each attempt. */
  body?: () => string | AttemptBody;
  /** Reads a successful answer. */
  read(response: WireResponse, attempt: Attempt): T | Promise<T>;
}

/**
 * HTTP to one MLflow server over kept-alive connections. Credentials and configured headers go to that server's origin
 * and nowhere else; redirects are not followed. Errors: see `mlflow.errors.ts`; `UNAVAILABLE` when the server cannot be
 * reached or does not answer in time, `CLOSED` after {@link close}.
 */
export class HttpTransport implements MLflowTransport {
  /** Address of the server, without credentials. */
  readonly server: string;
  readonly #uri: ServerUri;
  readonly #options: TransportOptions;
  readonly #auth: Authenticator;
  readonly #headers: Headers;
  readonly #agent: MarkingAgent;
  #foreignAgent: MarkingAgent | undefined;
  readonly #calls = new Set<Call>();
  #isClosed = false;

  /** Opens no connection yet. Throws `CONFIG_INVALID` for a faulty address or a TLS file that cannot be read. */
  constructor(given: Pick<TransportOptions, 'uri'> & Partial<TransportOptions>) {
    const options = { ...TRANSPORT_DEFAULTS, ...given };
    this.#options = options;
    this.#uri = parseServerUri(options.uri);
    this.server = this.#uri.display;
    const { credentials } = this.#uri;
    this.#auth = new Authenticator(credentials === undefined ? options.auth : { type: 'basic', ...credentials });
    this.#headers = { 'user-agent': 'nestjs-experiment-hub', ...lowerCase(options.headers) };
    if (options.workspace !== undefined) {
      this.#headers = { ...this.#headers, 'x-mlflow-workspace': options.workspace };
    }
    this.#agent = this.#newAgent(tlsOptions(options.tls));
  }

  /** See {@link MLflowTransport.json}. */
  json<T extends object>(request: JsonRequest): Promise<T> {
    const hasBody = request.method !== 'GET';
    return this.#run<T>(request, {
      headers: { accept: 'application/json', ...(hasBody ? { 'content-type': 'application/json' } : {}) },
      ...(hasBody ? { body: jsonBody(request.body ?? {}) } : {}),
      read: async (response, attempt) => {
        const text = await this.#text(response, attempt, MAX_JSON);
        const value = parseJsonObject(text);
        if (value !== undefined) return value as T;
        throw this.#strangeAnswer(text, response, attempt);
      },
    });
  }

  /** See {@link MLflowTransport.text}. */
  text(request: MLflowRequest): Promise<string> {
    return this.#run(request, {
      headers: {},
      read: async (response, attempt) => {
        const text = await this.#text(response, attempt, MAX_TEXT);
        if (looksLikeHtml(text)) throw this.#strangeAnswer(text, response, attempt);
        return text;
      },
    });
  }

  /** See {@link MLflowTransport.upload}. */
  upload(request: UploadRequest): Promise<Headers> {
    const { contentLength, headers = {}, foreignUrl, body } = request;
    return this.#run(request, {
      headers: {
        'content-type': 'application/octet-stream',
        ...lowerCase(headers),
        ...(contentLength === undefined ? {} : { 'content-length': String(contentLength) }),
      },
      ...(foreignUrl === undefined ? {} : { foreignUrl }),
      isStream: true,
      body: () => new AttemptBody(body),
      read: async (response, attempt) => {
        const text = await this.#text(response, attempt, MAX_TEXT);
        if (foreignUrl === undefined && looksLikeHtml(text)) throw this.#strangeAnswer(text, response, attempt);
        return headersOf(response);
      },
    });
  }

  /** See {@link MLflowTransport.download}. */
  download(request: MLflowRequest & { foreignUrl?: string; headers?: Headers }): Promise<Download> {
    const { foreignUrl, headers = {}, signal } = request;
    return this.#run<Download>(request, {
      headers: lowerCase(headers),
      ...(foreignUrl === undefined ? {} : { foreignUrl }),
      isStream: true,
      read: (response, attempt) => {
        const answered = headersOf(response);
        const length = answered['content-length'];
        const body = new DownloadBody(
          response.body as Readable,
          (error) => attempt.errorOf(error),
          signal,
          () => abortError(signal, MLFLOW_SOURCE),
        );
        return { contentLength: length === undefined ? null : Number(length), headers: answered, body };
      },
    });
  }

  /** See {@link MLflowTransport.close}. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const call of this.#calls) call.cancel(closedError());
    await Promise.all([this.#agent.destroy(), this.#foreignAgent?.destroy()]);
  }

  async #run<T>(request: MLflowRequest, shape: Shape<T>): Promise<T> {
    if (this.#isClosed) throw closedError();
    const { retry } = this.#options;
    const wire = this.#wireRequest(request, shape);
    const deadline = request.deadline ?? (shape.isStream === true ? Infinity : this.#options.deadline);
    const call = new Call({ server: wire.server, deadline, signal: request.signal });
    this.#calls.add(call);
    const plan = {
      policy: retry,
      attempts: request.attempts ?? retry.attempts,
      respectRetryAfter: retry.respectRetryAfter,
      repeatable: request.repeatable ?? request.method === 'GET',
      isDownload: shape.isStream === true && request.method === 'GET',
    };
    try {
      return await withRetries(call, plan, () => this.#attempt(call, wire, shape));
    } finally {
      this.#calls.delete(call);
      call.dispose();
    }
  }

  /** Sends once, or a second time with fresh credentials when the first ones were refused. */
  async #attempt<T>(call: Call, wire: WireRequest, shape: Shape<T>): Promise<T> {
    if (wire.foreign) return this.#once(call, wire, shape, {});
    const credentials = await this.#auth.headers(call.signal);
    try {
      return await this.#once(call, wire, shape, credentials);
    } catch (error) {
      if (!this.#auth.canRefresh || !HubError.is(error) || error.details['status'] !== 401) throw error;
      return await this.#once(call, wire, shape, await this.#auth.headers(call.signal, credentials));
    }
  }

  async #once<T>(call: Call, wire: WireRequest, shape: Shape<T>, credentials: Headers): Promise<T> {
    const timeout = shape.isStream === true ? Infinity : this.#options.requestTimeout;
    const attempt = new Attempt(call, { method: wire.method, server: wire.server, timeout });
    const agent = wire.foreign ? this.#agentForForeign() : this.#agent;
    const headers = { ...wire.headers, ...credentials };
    const body = shape.body?.();
    try {
      const request = { ...wire, headers, ...(body === undefined ? {} : { body }) };
      return await shape.read(await exchange(agent, attempt, request, () => this.#secrets(credentials)), attempt);
    } finally {
      attempt.dispose();
      if (body instanceof AttemptBody) body.dispose();
    }
  }

  async #text(response: WireResponse, attempt: Attempt, limit: number): Promise<string> {
    try {
      return await readText(response.body, limit);
    } catch (error) {
      throw attempt.errorOf(error);
    }
  }

  #wireRequest<T>({ method, path, query }: MLflowRequest, { foreignUrl, headers }: Shape<T>): WireRequest {
    if (foreignUrl !== undefined) {
      const { origin, target, display } = parseForeignUrl(foreignUrl);
      return { method, origin, target, path: '', server: display, foreign: true, headers };
    }
    const { origin, prefix } = this.#uri;
    const target = requestTarget(prefix, path, query);
    const all = { ...this.#headers, ...headers };
    return { method, origin, target, path: prefix + path, server: this.server, foreign: false, headers: all };
  }

  /** A success that MLflow did not send. */
  #strangeAnswer(text: string, response: WireResponse, attempt: Attempt): HubError {
    const details = { status: response.statusCode };
    if (looksLikeHtml(text)) {
      const message = `a web page, likely of a login, answered at ${this.server} instead of MLflow: give credentials that the proxy before it takes.`;
      return new HubError('UNAUTHORIZED', message, { ...MLFLOW_SOURCE, details });
    }
    return new HubError('UNAVAILABLE', `what ${this.server} answered is no JSON object, or was cut off.`, {
      ...MLFLOW_SOURCE,
      details: { ...details, transient: true, ...(attempt.isMaybeDone ? { maybeDone: true } : {}) },
    });
  }

  /** Values that answers may repeat, and messages must not; a value of a few characters would hit any text. */
  #secrets(sent: Headers): string[] {
    const values = [...Object.values(this.#options.headers), ...this.#auth.secrets(sent)];
    // Also as JSON writes it, where an answer is quoted as it came.
    return values.filter((value) => value.length > 5).flatMap((value) => [value, JSON.stringify(value).slice(1, -1)]);
  }

  #agentForForeign(): MarkingAgent {
    this.#foreignAgent ??= this.#newAgent(foreignTlsOptions(this.#options.tls));
    return this.#foreignAgent;
  }

  #newAgent(tls: ReturnType<typeof tlsOptions>): MarkingAgent {
    const { connections, connectTimeout, requestTimeout: idleTimeout } = this.#options;
    return new MarkingAgent({ connections, connectTimeout, idleTimeout, tls });
  }
}

/** One text for all attempts, made at the first. */
function jsonBody(body: object): () => string {
  let text: string | undefined;
  return () => (text ??= encodeJson(body));
}

function closedError(): HubError {
  return new HubError('CLOSED', 'the client of the MLflow server was closed.', MLFLOW_SOURCE);
}

function lowerCase(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
