import { configError, joinPath, validateOptions, type ConfigIssue } from '../../../../core/validate.js';
import { MLFLOW_SOURCE } from '../mlflow.errors.js';
import type { MLflowAuth } from './mlflow.auth.types.js';
import {
  TRANSPORT_DEFAULTS,
  type MLflowArtifactOptions,
  type MLflowAuthOptions,
  type MLflowClientOptions,
  type ResolvedClientOptions,
} from './mlflow.client.options.js';
import { mlflowClientSchema } from './mlflow.client.schema.js';
import { environmentOptions, type Environment } from './mlflow.environment.js';
import { serverUriFault } from './mlflow.server-uri.js';

/**
 * Options of the client, completed: what is given wins over the environment, which wins over the defaults. Throws
 * `CONFIG_INVALID` naming all faults, those of environment variables too.
 * @param where the block that the options come from, e.g. `plugins.mlops.config`: it starts the paths of its faults
 */
export function resolveClientOptions(
  options: MLflowClientOptions = {},
  env: Environment = process.env,
  where = '',
): ResolvedClientOptions {
  const given = validateOptions<MLflowClientOptions>(mlflowClientSchema, options, { what: where, ...MLFLOW_SOURCE });
  const issues: ConfigIssue[] = [];
  const fromEnv = environmentOptions(env, issues);
  const mlflowUri = addressOf(given.mlflowUri, fromEnv.mlflowUri, 'MLFLOW_TRACKING_URI', issues);
  const registryUri = addressOf(given.registryUri, fromEnv.registryUri, 'MLFLOW_REGISTRY_URI', issues);
  if (mlflowUri === undefined && issues.every(({ path }) => path !== 'MLFLOW_TRACKING_URI')) {
    issues.push({
      path: at(where, 'mlflow_uri'),
      message: 'is required, here or as the environment variable MLFLOW_TRACKING_URI.',
    });
  }
  const auth = resolveAuth(given.auth ?? {}, fromEnv.auth ?? {}, (key, message) =>
    issues.push({ path: at(where, 'auth', key), message }),
  );
  if (issues.length > 0 || mlflowUri === undefined) throw configError(issues, MLFLOW_SOURCE);
  const requestTimeout = given.requestTimeout ?? fromEnv.requestTimeout ?? TRANSPORT_DEFAULTS.requestTimeout;
  const workspace = given.workspace ?? fromEnv.workspace;
  return {
    mlflowUri,
    registryUri: registryUri ?? mlflowUri,
    auth,
    tls: { ...fromEnv.tls, ...given.tls },
    headers: given.headers ?? {},
    ...(workspace === undefined ? {} : { workspace }),
    requestTimeout,
    connectTimeout: given.connectTimeout ?? TRANSPORT_DEFAULTS.connectTimeout,
    deadline: given.deadline ?? 2 * requestTimeout,
    retry: { ...TRANSPORT_DEFAULTS.retry, ...fromEnv.retry, ...given.retry },
    connections: given.connections ?? TRANSPORT_DEFAULTS.connections,
    allowFileUris: given.allowFileUris ?? false,
    // The schema fills it in.
    artifacts: given.artifacts as MLflowArtifactOptions,
  };
}

function at(...keys: string[]): string {
  return joinPath(keys.filter((key) => key !== ''));
}

function addressOf(
  given: string | undefined,
  fromEnv: string | undefined,
  variable: string,
  issues: ConfigIssue[],
): string | undefined {
  if (given !== undefined || fromEnv === undefined) return given;
  const fault = serverUriFault(fromEnv);
  if (fault !== undefined) issues.push({ path: variable, message: `${fault}.` });
  return fault === undefined ? fromEnv : undefined;
}

/** What the configuration says decides the kind; the environment fills in what it leaves open. */
function resolveAuth(
  given: MLflowAuthOptions,
  env: MLflowAuthOptions,
  fault: (key: string, message: string) => void,
): MLflowAuth {
  const { username, password, token } = { ...env, ...given };
  const type = given.type ?? kindOf(given) ?? kindOf(env) ?? 'none';
  const missing = (key: string, variable?: string): MLflowAuth => {
    const other = variable === undefined ? '' : `, here or as the environment variable ${variable}`;
    fault(key, `is required for ${type}${other}.`);
    return { type: 'none' };
  };
  if (type === 'provider') {
    return given.provider === undefined ? missing('provider') : { type, provider: given.provider };
  }
  if (type === 'bearer') return token === undefined ? missing('token', 'MLFLOW_TRACKING_TOKEN') : { type, token };
  if (type === 'none') return { type };
  if (username === undefined) return missing('username', 'MLFLOW_TRACKING_USERNAME');
  if (password === undefined) return missing('password', 'MLFLOW_TRACKING_PASSWORD');
  return { type, username, password };
}

function kindOf({ provider, username, password, token }: MLflowAuthOptions): MLflowAuth['type'] | undefined {
  if (provider !== undefined) return 'provider';
  // As in Python: a complete pair wins over a token.
  if (username !== undefined && (password !== undefined || token === undefined)) return 'basic';
  return token === undefined ? undefined : 'bearer';
}
