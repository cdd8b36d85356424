import { Redis, type Cluster, type RedisOptions as ClientOptions } from 'ioredis';
import type { RedisClient } from './redis.clients.js';

/** What commands must not be bound to when the application is, for what blocks and what waits for a connection. */
const UNBOUND: ClientOptions = { enableOfflineQueue: true, autoResendUnfulfilledCommands: true };

/**
 * A client of our own to where the application's connection leads. Nothing of the application's is used or closed.
 * @param given options of ioredis (with a `url` or not), or a client of ioredis, of whichever copy of it
 * @param own what differs from the application's options
 */
export function clientBeside(given: object, own: ClientOptions): RedisClient {
  // What is left undefined would be the application's.
  const changes: ClientOptions = { ...UNBOUND, commandTimeout: undefined, socketTimeout: undefined, ...own };
  if (!isIoredis(given)) {
    const { url, ...options } = given as ClientOptions & { url?: string };
    return url === undefined ? new Redis({ ...options, ...changes }) : new Redis(url, { ...options, ...changes });
  }
  if (!isCluster(given)) return given.duplicate(changes);
  return given.duplicate([], clusterOptions(changes, given.options.redisOptions));
}

/** Options of a cluster from those of one server. */
export function clusterOptions(
  { enableOfflineQueue = true, retryStrategy, ...own }: ClientOptions,
  redisOptions: ClientOptions = {},
): Cluster['options'] {
  return {
    redisOptions: { ...redisOptions, ...own },
    enableOfflineQueue,
    lazyConnect: true,
    clusterRetryStrategy: (times) => retryStrategy?.(times) as number,
  };
}

/** Whether it is a client of a cluster. */
export function isCluster(client: RedisClient): client is Cluster {
  return client.isCluster;
}

/** Whether it is a client of ioredis. The class does not tell: the application may have another copy of it. */
export function isIoredis(given: object): given is RedisClient {
  const methods = ['connect', 'disconnect', 'duplicate', 'defineCommand'];
  return 'options' in given && methods.every((name) => typeof Reflect.get(given, name) === 'function');
}
