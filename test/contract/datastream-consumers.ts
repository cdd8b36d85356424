import type { DataStreamPlugin } from '../../src/datastream/datastream.plugin.js';
import type {
  DataBatchHandler,
  DataHandler,
  SubscribeBatchOptions,
  SubscribeOptions,
  Subscription,
} from '../../src/datastream/datastream.types.js';

/** The methods that start consumers, without the overloads that infer a type from a schema: those cannot be wrapped. */
export interface Consumers {
  subscribe(queue: string, handler: DataHandler, options?: SubscribeOptions): Promise<Subscription>;
  subscribeBatch(queue: string, handler: DataBatchHandler, options: SubscribeBatchOptions): Promise<Subscription>;
}

/** The plugin as {@link Consumers}. */
export function consumers(plugin: DataStreamPlugin): Consumers {
  return plugin;
}
