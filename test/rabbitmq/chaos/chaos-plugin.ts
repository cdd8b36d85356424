import type { RabbitMQPluginOptions } from '../../../src/datastream/drivers/rabbitmq/rabbitmq.options.js';
import { RabbitMQPlugin } from '../../../src/datastream/drivers/rabbitmq/rabbitmq.plugin.js';
import { HEARTBEAT_MS } from './chaos-size.js';

/** Most time of a send in the chaos tests, in ms: longer than the broker is away. */
export const PUBLISH_TIMEOUT_MS = 60_000;

/** Options with which the driver notices and comes back soon. */
export function chaosOptions(url: string, options: RabbitMQPluginOptions = {}): RabbitMQPluginOptions {
  return {
    url,
    heartbeat: HEARTBEAT_MS,
    connectTimeout: 5_000,
    reconnect: { delay: 50, factor: 2, maxDelay: 500, jitter: 0.5 },
    publishTimeout: PUBLISH_TIMEOUT_MS,
    ...options,
  };
}

/** The driver as the chaos tests use it, open. */
export async function openChaosPlugin(url: string, options: RabbitMQPluginOptions = {}): Promise<RabbitMQPlugin> {
  const plugin = new RabbitMQPlugin(chaosOptions(url, options));
  await plugin.initialize();
  return plugin;
}
