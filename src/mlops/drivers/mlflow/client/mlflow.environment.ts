import type { ConfigIssue } from '../../../../core/validate.js';
import type { MLflowClientOptions } from './mlflow.client.options.js';

/** Environment variables by name, as `process.env` holds them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Python's wait before the second attempt is this factor, in s; the client's own default of `delay`, in ms. */
const DEFAULT_DELAY = 500;

/**
 * What the environment variables of MLflow's Python client say, as options of this one. Empty variables count as not
 * set. Faults are added to `issues`, without their values.
 * See https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html
 */
export function environmentOptions(env: Environment, issues: ConfigIssue[]): MLflowClientOptions {
  const reader = new EnvironmentReader(env, issues);
  const timeout = reader.number('MLFLOW_HTTP_REQUEST_TIMEOUT', 0.001, 2_147_483);
  return defined({
    mlflowUri: reader.text('MLFLOW_TRACKING_URI'),
    registryUri: reader.text('MLFLOW_REGISTRY_URI'),
    workspace: reader.text('MLFLOW_WORKSPACE'),
    requestTimeout: timeout === undefined ? undefined : Math.round(timeout * 1_000),
    auth: defined({
      username: reader.text('MLFLOW_TRACKING_USERNAME'),
      password: reader.text('MLFLOW_TRACKING_PASSWORD'),
      token: reader.text('MLFLOW_TRACKING_TOKEN'),
    }),
    tls: defined({
      ca: reader.text('MLFLOW_TRACKING_SERVER_CERT_PATH'),
      cert: reader.text('MLFLOW_TRACKING_CLIENT_CERT_PATH'),
      insecure: reader.boolean('MLFLOW_TRACKING_INSECURE_TLS'),
    }),
    retry: retryOptions(reader),
  });
}

function retryOptions(reader: EnvironmentReader): MLflowClientOptions['retry'] {
  const retries = reader.number('MLFLOW_HTTP_REQUEST_MAX_RETRIES', 0, 99);
  const factor = reader.number('MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR', 0, 3_600);
  const jitter = reader.number('MLFLOW_HTTP_REQUEST_BACKOFF_JITTER', 0, 3_600);
  const delay = factor === undefined ? undefined : factor * 1_000;
  // Python adds up to so many seconds; here it is a share of the wait, taken of the first one.
  const share = jitter === undefined ? undefined : Math.min(1, (jitter * 1_000) / Math.max(1, delay ?? DEFAULT_DELAY));
  return defined({
    attempts: retries === undefined ? undefined : Math.trunc(retries) + 1,
    delay,
    jitter: share,
    respectRetryAfter: reader.boolean('MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER'),
  });
}

/** A copy without the fields that are undefined. */
function defined<T extends object>(value: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof T]?: Exclude<T[Key], undefined> };
}

class EnvironmentReader {
  constructor(
    private readonly env: Environment,
    private readonly issues: ConfigIssue[],
  ) {}

  text(name: string): string | undefined {
    return this.env[name] || undefined;
  }

  number(name: string, min: number, max: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (value >= min && value <= max) return value;
    this.issues.push({ path: name, message: `has to be a number from ${min} to ${max}.` });
    return undefined;
  }

  boolean(name: string): boolean | undefined {
    const text = this.text(name)?.toLowerCase();
    if (text === undefined) return undefined;
    if (text === 'true' || text === '1') return true;
    if (text === 'false' || text === '0') return false;
    this.issues.push({ path: name, message: 'has to be true or false.' });
    return undefined;
  }
}
