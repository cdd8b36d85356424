import { abortError, withDeadline } from '../../../../core/deadline.js';
import { errorMessage, HubError } from '../../../../core/errors.js';
import { MLFLOW_SOURCE } from '../mlflow.errors.js';
import type { MLflowAuth, MLflowAuthContext, MLflowAuthProvider } from './mlflow.auth.types.js';

/** Headers, by lower-case name. */
export type Headers = Readonly<Record<string, string>>;

interface Credentials {
  readonly headers: Headers;
  readonly expiresAt: number;
}

/** Most time that a provider may take, in ms. */
const PROVIDER_DEADLINE = 30_000;

/** The headers that say who we are, kept until they expire or are refused. */
export class Authenticator {
  readonly #provider: MLflowAuthProvider | undefined;
  /** Secrets that the headers hold in another shape only. */
  readonly #plain: readonly string[];
  #current: Credentials | undefined;
  #asking: Promise<Credentials> | undefined;

  constructor(auth: MLflowAuth) {
    this.#plain = auth.type === 'basic' ? [`${auth.username}:${auth.password}`, auth.password] : [];
    if (auth.type === 'provider') this.#provider = auth.provider;
    else this.#current = { headers: fixedHeaders(auth), expiresAt: Infinity };
  }

  /** Whether a refused request can be sent again with other credentials. */
  get canRefresh(): boolean {
    return this.#provider !== undefined;
  }

  /**
   * Values that no message may show.
   * @param sent headers that a request went out with: a refresh may have replaced them since
   */
  secrets(sent: Headers): string[] {
    const values = [...Object.values(sent), ...Object.values(this.#current?.headers ?? {})];
    return [...this.#plain, ...values.flatMap((value) => [value, value.replace(/^\w+ /, '')])];
  }

  /**
   * The headers to send. Rejects with `UNAUTHORIZED` when the provider fails or gives nothing usable, `TIMEOUT` when it
   * does not answer in 30 s, `ABORTED` by `signal`.
   * @param refused the headers that got a 401, if any: the provider is asked anew unless it has been since
   */
  async headers(signal: AbortSignal, refused?: Headers): Promise<Headers> {
    const current = this.#current;
    if (current !== undefined && current.headers !== refused && Date.now() < current.expiresAt) return current.headers;
    if (this.#provider === undefined) return current?.headers ?? {};
    this.#asking ??= this.#ask(this.#provider, refused !== undefined).finally(() => {
      this.#asking = undefined;
    });
    const asking = this.#asking;
    const credentials = await withDeadline(asking, PROVIDER_DEADLINE, undefined, signal);
    return credentials.headers;
  }

  async #ask(provider: MLflowAuthProvider, refresh: boolean): Promise<Credentials> {
    // Shared by all who wait, so it has a deadline of its own instead of one caller's signal.
    const signal = AbortSignal.timeout(PROVIDER_DEADLINE);
    try {
      const answer = askProvider(provider, { refresh, signal });
      this.#current = await withDeadline(answer, PROVIDER_DEADLINE, () => abortError(signal));
      return this.#current;
    } catch (error) {
      if (HubError.is(error)) throw error;
      throw new HubError('UNAUTHORIZED', `the provider of credentials failed: ${errorMessage(error)}`, {
        ...MLFLOW_SOURCE,
        cause: error,
      });
    }
  }
}

function fixedHeaders(auth: Exclude<MLflowAuth, { type: 'provider' }>): Headers {
  if (auth.type === 'none') return {};
  if (auth.type === 'bearer') return { authorization: `Bearer ${auth.token}` };
  // RFC 7617: UTF-8, as MLflow's basic-auth app reads it.
  return { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}` };
}

async function askProvider(provider: MLflowAuthProvider, context: MLflowAuthContext): Promise<Credentials> {
  if (typeof provider === 'object' && 'getHeaders' in provider) {
    const headers = await provider.getHeaders(context);
    const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), checkValue(value)]);
    return { headers: Object.fromEntries(entries) as Headers, expiresAt: Infinity };
  }
  const answer = await (typeof provider === 'function' ? provider(context) : provider.getToken(context));
  const { token, expiresAt = Infinity } = typeof answer === 'string' ? { token: answer } : answer;
  return { headers: { authorization: `Bearer ${checkValue(token)}` }, expiresAt };
}

function checkValue(value: unknown): string {
  if (typeof value === 'string' && value !== '' && !/[^\t\x20-\x7e\x80-\xff]/.test(value)) return value;
  throw new HubError(
    'UNAUTHORIZED',
    'the provider of credentials gave no text that fits into a header.',
    MLFLOW_SOURCE,
  );
}
