import { HubError } from '../../../../core/errors.js';
import { MLFLOW_SOURCE } from '../mlflow.errors.js';
import type { MLflowRequest, MLflowTransport } from './mlflow.transport.types.js';

/** What a probe found. */
export interface ServerProbe {
  /** MLflow's version, e.g. `3.17.2`; `null` when a proxy does not let the question through. */
  version: string | null;
  /** How long a real API call took, in ms. */
  latencyMs: number;
}

/**
 * Asks a server for its health, its version and one experiment, each once. The last is what decides: `/health` says OK
 * also to those whom the API refuses (credentials, allowed hosts). Rejects with `UNAVAILABLE` or `UNAUTHORIZED`.
 */
export async function probeServer(transport: MLflowTransport, signal?: AbortSignal): Promise<ServerProbe> {
  const once = { attempts: 1, ...(signal === undefined ? {} : { signal }) };
  const get = (path: string): MLflowRequest => ({ method: 'GET', path, ...once });
  const started = performance.now();
  const experiments = transport
    .json({
      method: 'POST',
      path: '/api/2.0/mlflow/experiments/search',
      body: { max_results: 1 },
      repeatable: true,
      ...once,
    })
    .then(() => performance.now() - started);
  const [health, version, latency] = await Promise.allSettled([
    transport.text(get('/health')),
    transport.text(get('/version')),
    experiments,
  ]);
  if (latency.status === 'rejected') throw latency.reason;
  // Some proxies let the API through only, so a health page that is not there says nothing.
  if (health.status === 'rejected' && isSick(health.reason)) throw health.reason;
  if (health.status === 'fulfilled' && health.value.trim() !== 'OK') {
    throw new HubError('UNAVAILABLE', 'the health page of the MLflow server does not say OK.', MLFLOW_SOURCE);
  }
  return {
    version: version.status === 'fulfilled' ? versionOf(version.value) : null,
    latencyMs: Math.round(latency.value * 10) / 10,
  };
}

function isSick(error: unknown): boolean {
  return !HubError.is(error, 'UNSUPPORTED', 'UNAUTHORIZED');
}

function versionOf(text: string): string | null {
  const version = text.trim();
  return /^\d+\.\d[\w.+-]{0,40}$/.test(version) ? version : null;
}
