/** What a provider of credentials is told. */
export interface MLflowAuthContext {
  /** True when the server refused the last answer (401), so that a kept one must not be given again. */
  readonly refresh: boolean;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** A bearer token and, when it is known, its end. */
export interface MLflowToken {
  token: string;
  /** When the provider has to be asked anew, in ms since 1970. Default: only after a 401. */
  expiresAt?: number;
}

/** A function that gives a bearer token. */
export type MLflowTokenFunction = (
  context: MLflowAuthContext,
) => string | MLflowToken | PromiseLike<string | MLflowToken>;

/** An object, e.g. an injectable class, that gives a bearer token. */
export interface MLflowTokenProvider {
  getToken: MLflowTokenFunction;
}

/** An object, e.g. an injectable class, that gives request headers, for schemes other than `Bearer`. */
export interface MLflowHeadersProvider {
  getHeaders(context: MLflowAuthContext): Record<string, string> | PromiseLike<Record<string, string>>;
}

/**
 * Where credentials come from when they are not fixed. It is asked before the first request, when its token has expired
 * and once after each 401; between those its answer is kept, and requests at the same time share one question.
 */
export type MLflowAuthProvider = MLflowTokenFunction | MLflowTokenProvider | MLflowHeadersProvider;

/** How the client shows who it is. */
export type MLflowAuth =
  | { type: 'none' }
  | { type: 'basic'; username: string; password: string }
  | { type: 'bearer'; token: string }
  | { type: 'provider'; provider: MLflowAuthProvider };
