import type { PluginHealth } from '../../../src/core/plugin.js';
import { MLflowPlugin } from '../../../src/mlops/drivers/mlflow/mlflow.plugin.js';

/** How long a creation may take before it rejects, in ms. */
export const CREATE_DEADLINE = 10_000;

/** Health while the server is away and writes wait. */
export const AWAY = { healthy: true, details: { degraded: true, writes: { state: 'away' } } };
/** Health when nothing waits. */
export const WELL = { healthy: true, details: { writes: { state: 'up', spooled: 0, buffered: 0 } } };

/**
 * The driver as a user has it, with a shorter patience.
 * @param spool folder
 * @param maxBytes of the spool
 */
export function chaosPlugin(url: string, spool: string, maxBytes = 1024 ** 3): MLflowPlugin {
  return new MLflowPlugin({
    mlflowUri: url,
    spool: { enabled: true, dir: spool, maxBytes },
    requestTimeout: 3_000,
    connectTimeout: 1_000,
    deadline: CREATE_DEADLINE,
    retry: { attempts: 5, delay: 100, factor: 2, maxDelay: 1_000, jitter: 0.5 },
  });
}

/** How many writes wait for the server. */
export async function backlog(mlops: MLflowPlugin): Promise<number> {
  return writes(await mlops.healthCheck(), 'spooled');
}

/** How many acknowledged writes the server refused later. */
export function setAside(health: PluginHealth): number {
  return writes(health, 'rejected');
}

function writes({ details }: PluginHealth, field: string): number {
  const counts = details['writes'] as Record<string, unknown> | undefined;
  if (counts === undefined) throw new Error(`health says nothing of the writes: ${JSON.stringify(details)}`);
  return Number(counts[field]);
}
