import { withDeadline } from '../../../core/deadline.js';
import { HubError } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import type { MLflowClient } from './client/mlflow.client.js';
import { probeServer } from './client/mlflow.server-probe.js';
import type { MLflowTransport } from './client/mlflow.transport.types.js';
import { reasonOf } from './mlflow.away.js';
import { MLFLOW_SOURCE } from './mlflow.errors.js';

/** Asks the servers of a client how they are, and remembers the version of the tracking server. */
export class ServerWatch {
  #version: string | null = null;

  constructor(private readonly client: MLflowClient) {}

  /** Whether the tracking server said, when it last said anything, that it is of version 2. */
  get isMLflow2(): boolean {
    return this.#version?.startsWith('2.') ?? false;
  }

  /**
   * Resolves to facts when the tracking server answers, and the registry, if that is another one. Rejects with the first
   * fault, of the tracking server before the registry; `details.registry` is true for one of the registry, which its
   * message names, too.
   * @param deadline ms
   */
  async ask(deadline: number, signal?: AbortSignal): Promise<JsonObject> {
    const { transport, registry } = this.client;
    const [tracking, models] = await Promise.allSettled([
      answered(this.#probe(signal), deadline, 'the MLflow server'),
      registry === transport ? undefined : answered(askRegistry(registry, signal), deadline, 'it'),
    ]);
    if (tracking.status === 'rejected') throw tracking.reason;
    if (models.status === 'rejected') throw registryError(models.reason);
    return tracking.value;
  }

  async #probe(signal?: AbortSignal): Promise<JsonObject> {
    const probe = await probeServer(this.client.transport, signal);
    // A proxy that keeps the version back now and then does not make a known one unknown.
    this.#version = probe.version ?? this.#version;
    return { ...probe };
  }
}

async function askRegistry(registry: MLflowTransport, signal?: AbortSignal): Promise<void> {
  await registry.json({
    method: 'GET',
    path: '/api/2.0/mlflow/registered-models/search',
    query: { max_results: 1 },
    attempts: 1,
    ...(signal === undefined ? {} : { signal }),
  });
}

function registryError(error: unknown): HubError {
  const { code, details } = HubError.is(error) ? error : { code: 'INTERNAL' as const, details: {} };
  return new HubError(code, `the model registry (registry_uri): ${reasonOf(error)}`, {
    ...MLFLOW_SOURCE,
    cause: HubError.is(error) ? error.cause : error,
    details: { ...details, registry: true },
  });
}

/** A server that takes a connection and says nothing is as good as away. */
function answered<T>(work: Promise<T>, deadline: number, who: string): Promise<T> {
  return withDeadline(
    work,
    deadline,
    () =>
      new HubError('UNAVAILABLE', `${who} has not answered within ${deadline} ms.`, {
        ...MLFLOW_SOURCE,
        details: { transient: true },
      }),
  );
}
