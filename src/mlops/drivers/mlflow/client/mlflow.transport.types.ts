import type { Readable } from 'node:stream';

/** Methods of MLflow's REST API. */
export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A value of a query parameter; a list becomes a repeated parameter, `undefined` is left out. */
export type QueryValue = string | number | boolean | readonly string[] | undefined;

/** What every request says. */
export interface MLflowRequest {
  method: HttpMethod;
  /** Absolute path on the server, segments percent-encoded, e.g. `/api/2.0/mlflow/runs/get`. */
  path: string;
  query?: Readonly<Record<string, QueryValue>>;
  /**
   * Whether the request may be sent again when its outcome is unknown. Reads, and writes that have the same effect twice.
   * Default: true for GET, false otherwise. One that surely did not reach the server is repeated in any case.
   */
  repeatable?: boolean;
  /** Rejects with `ABORTED` when it fires. */
  signal?: AbortSignal;
  /** Most time for all attempts together, in ms. Default: the option `deadline`; none for uploads and downloads. */
  deadline?: number;
  /** Most attempts, the first one included. Default: the option `retry.attempts`. */
  attempts?: number;
}

/** A request with a JSON body. */
export interface JsonRequest extends MLflowRequest {
  /** Left out for GET. Fields that are `undefined` are left out. */
  body?: object;
}

/** A request whose body is a stream of bytes. It is sent once unless `body` can be made anew. */
export interface UploadRequest extends MLflowRequest {
  /** Makes the body; called once per attempt. */
  body: () => Readable | Buffer;
  /** Bytes, when they are known; chunked otherwise. */
  contentLength?: number;
  headers?: Readonly<Record<string, string>>;
  /**
   * An absolute URL instead of {@link path}, e.g. one presigned by a store: sent without the server's credentials and
   * extra headers.
   */
  foreignUrl?: string;
}

/** The answer to a download. */
export interface Download {
  /** Bytes, when the server says. */
  contentLength: number | null;
  headers: Readonly<Record<string, string>>;
  /** Fails with a HubError when the connection breaks or stalls. Has to be read or destroyed. */
  body: Readable;
}

/**
 * The one way to the server: authentication, keep-alive, deadlines, retries and the mapping of errors to HubError. Errors
 * of the server carry `details: { status, errorCode }`, where `errorCode` is MLflow's own `error_code`; those after which
 * nobody knows whether the request took effect carry `details.maybeDone: true`.
 */
export interface MLflowTransport {
  /** Sends a request and resolves to the JSON object of the answer (`{}` for an empty one). */
  json<T extends object>(request: JsonRequest): Promise<T>;
  /** Sends a request and resolves to the text of the answer, at most 64 KiB of it. */
  text(request: MLflowRequest): Promise<string>;
  /** Uploads bytes and resolves to the headers of the answer (lower-case names), which a part's ETag is read from. */
  upload(request: UploadRequest): Promise<Readonly<Record<string, string>>>;
  /** Opens a download; resolves when the headers are there. */
  download(
    request: MLflowRequest & { foreignUrl?: string; headers?: Readonly<Record<string, string>> },
  ): Promise<Download>;
  /** Closes the connections; requests under way are given up. */
  close(): Promise<void>;
}
