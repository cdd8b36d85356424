import { describe, expect, it } from 'vitest';
import { HubError } from '../../../../core/errors.js';
import type { MLflowClientOptions } from './mlflow.client.options.js';
import type { Environment } from './mlflow.environment.js';
import { resolveClientOptions } from './mlflow.resolve-options.js';

const URI = 'http://mlflow.example:5000/path';

const issuesOf = (options: object, env: Environment = {}): { path: string; message: string }[] => {
  try {
    resolveClientOptions(options as MLflowClientOptions, env);
  } catch (error) {
    if (!HubError.is(error, 'CONFIG_INVALID')) throw error;
    return error.details['issues'] as { path: string; message: string }[];
  }
  throw new Error('it was taken');
};

describe('resolveClientOptions', () => {
  it('has a default for everything but the address', () => {
    expect(resolveClientOptions({ mlflowUri: URI }, {})).toEqual({
      mlflowUri: URI,
      registryUri: URI,
      auth: { type: 'none' },
      tls: {},
      headers: {},
      requestTimeout: 60_000,
      connectTimeout: 10_000,
      deadline: 120_000,
      retry: { attempts: 5, delay: 500, factor: 2, maxDelay: 30_000, jitter: 0.5, respectRetryAfter: true },
      connections: 16,
      allowFileUris: false,
      artifacts: { multipart: 'auto', partSize: 16 * 1024 ** 2, multipartThreshold: 100 * 1024 ** 2 },
    });
    expect(issuesOf({})).toMatchObject([{ path: 'mlflow_uri' }]);
  });

  it("reads the seed's spelling of keys", () => {
    const options = { mlflow_uri: URI, request_timeout: 5, retry: { max_delay: 7 } } as MLflowClientOptions;
    expect(resolveClientOptions(options, {})).toMatchObject({
      mlflowUri: URI,
      requestTimeout: 5,
      deadline: 10,
      retry: { maxDelay: 7, attempts: 5 },
    });
  });

  it("takes what is left out from the variables of MLflow's Python client", () => {
    const env = {
      MLFLOW_TRACKING_URI: 'https://tracking.example',
      MLFLOW_REGISTRY_URI: 'https://registry.example',
      MLFLOW_TRACKING_USERNAME: 'u',
      MLFLOW_TRACKING_PASSWORD: 'p',
      MLFLOW_TRACKING_TOKEN: 't',
      MLFLOW_TRACKING_INSECURE_TLS: 'TRUE',
      MLFLOW_TRACKING_SERVER_CERT_PATH: '/ca.pem',
      MLFLOW_TRACKING_CLIENT_CERT_PATH: '/client.pem',
      MLFLOW_WORKSPACE: 'team',
      MLFLOW_HTTP_REQUEST_TIMEOUT: '30',
      MLFLOW_HTTP_REQUEST_MAX_RETRIES: '7',
      MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR: '2',
      MLFLOW_HTTP_REQUEST_BACKOFF_JITTER: '1.0',
      MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER: 'false',
    };
    expect(resolveClientOptions({}, env)).toMatchObject({
      mlflowUri: 'https://tracking.example',
      registryUri: 'https://registry.example',
      auth: { type: 'basic', username: 'u', password: 'p' },
      tls: { ca: '/ca.pem', cert: '/client.pem', insecure: true },
      workspace: 'team',
      requestTimeout: 30_000,
      deadline: 60_000,
      retry: { attempts: 8, delay: 2_000, jitter: 0.5, respectRetryAfter: false },
    });
    const given = {
      mlflowUri: URI,
      registryUri: URI,
      auth: { token: 'mine' },
      tls: { insecure: false },
      requestTimeout: 1,
      retry: { attempts: 1 },
      workspace: 'w',
    };
    expect(resolveClientOptions(given, env)).toMatchObject({ ...given, auth: { type: 'bearer', token: 'mine' } });
  });

  it('looks at the environment when it is called', () => {
    process.env['MLFLOW_TRACKING_URI'] = URI;
    try {
      expect(resolveClientOptions().mlflowUri).toBe(URI);
    } finally {
      delete process.env['MLFLOW_TRACKING_URI'];
    }
  });

  it('finds out the kind of credentials, and what is missing of them', () => {
    const authOf = (auth: object, env: Environment = {}): unknown =>
      resolveClientOptions({ mlflowUri: URI, auth }, env).auth;
    const provider = (): string => 'token';
    expect(authOf({ provider })).toEqual({ type: 'provider', provider });
    class Tokens {
      readonly #token = 'x';
      getToken(): string {
        return this.#token;
      }
    }
    const tokens = new Tokens();
    expect((authOf({ provider: tokens }) as { provider: Tokens }).provider).toBe(tokens);
    expect(authOf({ username: 'u' }, { MLFLOW_TRACKING_PASSWORD: 'p' })).toEqual({
      type: 'basic',
      username: 'u',
      password: 'p',
    });
    expect(authOf({}, { MLFLOW_TRACKING_TOKEN: 't' })).toEqual({ type: 'bearer', token: 't' });
    expect(authOf({ type: 'none' }, { MLFLOW_TRACKING_TOKEN: 't' })).toEqual({ type: 'none' });
    expect(issuesOf({ mlflowUri: URI, auth: { username: 'u' } })).toMatchObject([{ path: 'auth.password' }]);
    expect(issuesOf({ mlflowUri: URI, auth: { type: 'bearer' } })).toMatchObject([{ path: 'auth.token' }]);
    expect(issuesOf({ mlflowUri: URI, auth: { type: 'provider' } })).toMatchObject([{ path: 'auth.provider' }]);
    expect(issuesOf({ mlflowUri: URI, auth: { provider: { token: 'x' } } })).toMatchObject([{ path: 'auth.provider' }]);
  });

  it('names the block of the configuration, but not before environment variables', () => {
    const paths = (env: Environment): string[] => {
      try {
        resolveClientOptions({}, env, 'plugins.mlops.config');
      } catch (error) {
        if (HubError.is(error)) return (error.details['issues'] as { path: string }[]).map(({ path }) => path);
      }
      throw new Error('it was taken');
    };
    expect(paths({})).toEqual(['plugins.mlops.config.mlflow_uri']);
    expect(paths({ MLFLOW_TRACKING_URI: 'sqlite:///x' })).toEqual(['MLFLOW_TRACKING_URI']);
  });

  it('takes folders of file URIs, as absolute paths', () => {
    const allowed = (allowFileUris: unknown): unknown =>
      resolveClientOptions({ mlflowUri: URI, allowFileUris } as MLflowClientOptions, {}).allowFileUris;
    for (const given of [true, false, [], ['/srv/mlflow', '/mnt/a b']]) expect(allowed(given)).toEqual(given);
    for (const given of ['/srv', 1, [1], ['srv'], ['/srv', './x'], ['file:///srv']]) {
      const issues = issuesOf({ mlflowUri: URI, allow_file_uris: given });
      expect(issues, JSON.stringify(given)).toHaveLength(1);
      expect(issues[0]?.path).toMatch(/^allow_file_uris/);
    }
  });

  it('names all faults and quotes none of the values', () => {
    const env = { MLFLOW_TRACKING_URI: 'sqlite:///s3cr3t', MLFLOW_HTTP_REQUEST_TIMEOUT: 's3cr3t' };
    const found = issuesOf({}, { ...env, MLFLOW_TRACKING_INSECURE_TLS: 's3cr3t' });
    expect(found.map(({ path }) => path)).toEqual([
      'MLFLOW_HTTP_REQUEST_TIMEOUT',
      'MLFLOW_TRACKING_INSECURE_TLS',
      'MLFLOW_TRACKING_URI',
    ]);
    expect(JSON.stringify(found)).not.toContain('s3cr3t');
    for (const mlflowUri of ['file:///s3cr3t', 'databricks', 'http://h/?s3cr3t', 'http://u:s3cr3t@', './s3cr3t']) {
      const faults = issuesOf({ mlflowUri });
      expect(faults).toMatchObject([{ path: 'mlflowUri' }]);
      expect(JSON.stringify(faults)).not.toContain('s3cr3t');
    }
  });

  it('refuses misspelt keys, and headers that are not the application’s to set', () => {
    expect(issuesOf({ mlflowUri: URI, request_timout: 1 })).toMatchObject([{ suggestion: 'request_timeout' }]);
    for (const headers of [{ 'Content-Length': '1' }, { 'a b': '1' }, { a: 'x\r\ny' }]) {
      expect(issuesOf({ mlflowUri: URI, headers })).toHaveLength(1);
    }
  });
});
