import { AMQP_DEFAULTS } from '../../../amqp/amqp.options.js';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import { peerError } from '../../../core/peer-error.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import type { RedisOptions } from '../../../redis/index.js';
import type { CeleryBroker } from './broker/celery-broker.js';
import type { CeleryOptions, CeleryRedisOptions } from './celery.options.js';
import { amqpUrl, redisUrl, transportOf, type CeleryTransport } from './celery.urls.js';
import type { ResultBackend } from './results/result-backend.js';

/** npm packages of each transport. */
const AMQP_PEERS = ['@golevelup/nestjs-rabbitmq', 'amqplib'];
const REDIS_PEERS = ['ioredis'];

/** Makes broker and result backend of a plugin; connects nothing. Throws `CONFIG_INVALID` for a pair that does not work. */
export async function celeryConnections(
  options: CeleryOptions,
  logger: StoreLogger,
  source: HubErrorOptions,
): Promise<{ broker: CeleryBroker; results: ResultBackend }> {
  const urls = typeof options.brokerUrl === 'string' ? [options.brokerUrl] : options.brokerUrl;
  const transport = brokerTransport(urls, source);
  const results = transportOf(options.backendUrl);
  if (results === 'rpc' && transport !== 'amqp') {
    throw new HubError('CONFIG_INVALID', 'backendUrl rpc:// needs RabbitMQ: give a redis:// backendUrl.', source);
  }
  // Each only when it is used: an application with Redis alone has no amqplib, and the other way round.
  if (transport === 'amqp') {
    const { AmqpBroker } = await installed(import('./broker/amqp-broker.js'), AMQP_PEERS, source);
    const { connectionName, ...amqp } = options.amqp;
    const { publishTimeout, appName } = options;
    const name = connectionName === AMQP_DEFAULTS.connectionName ? appName : connectionName;
    const defaults = { host: 'localhost', username: 'guest', password: 'guest', vhost: '/' };
    const addressed = { ...defaults, ...amqp, publishTimeout, connectionName: name, url: urls.map(amqpUrl) };
    const broker = new AmqpBroker(addressed, options, logger, source);
    if (results !== 'rpc') return { broker, results: await redisResults(options, logger, source) };
    const { RpcResults } = await import('./results/rpc-results.js');
    return { broker, results: new RpcResults(broker, options, source) };
  }
  const { RedisBroker } = await installed(import('./broker/redis-broker.js'), REDIS_PEERS, source);
  const redis = redisOptions(urls[0] ?? '', options.redisBroker, source);
  const broker = new RedisBroker(redis, databaseOf(redis), options, logger, source);
  return { broker, results: await redisResults(options, logger, source) };
}

async function redisResults(
  options: CeleryOptions,
  logger: StoreLogger,
  source: HubErrorOptions,
): Promise<ResultBackend> {
  const { RedisResults } = await installed(import('./results/redis-results.js'), REDIS_PEERS, source);
  return new RedisResults(redisOptions(options.backendUrl, options.redisBackend, source), options, logger, source);
}

/** What was imported, or `PEER_MISSING` with what to install. */
async function installed<T>(imported: Promise<T>, peers: readonly string[], source: HubErrorOptions): Promise<T> {
  try {
    return await imported;
  } catch (error) {
    throw peerError(error, peers, source) ?? error;
  }
}

function brokerTransport(urls: readonly string[], source: HubErrorOptions): CeleryTransport {
  const found = new Set(urls.map(transportOf));
  const [transport, other] = found;
  if (transport === undefined || other !== undefined || (urls.length > 1 && transport !== 'amqp')) {
    const text = 'brokerUrl can be a list only of the nodes of one RabbitMQ cluster, all of them amqp:// or amqps://.';
    throw new HubError('CONFIG_INVALID', text, source);
  }
  return transport;
}

/** What a Redis connection is told. Throws `CONFIG_INVALID` for sentinels without the name of their master. */
function redisOptions(url: string, own: CeleryRedisOptions, source: HubErrorOptions): RedisOptions {
  const { url: address, sentinels, rejectUnauthorized } = redisUrl(url);
  const { sentinel, tls, ...others } = own;
  const { hostname, port, username, password, pathname, protocol } = new URL(address);
  const login = {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 ? { db: Number(pathname.slice(1)) } : {}),
    ...defined(others),
  };
  const secure = protocol === 'rediss:' || tls?.enabled === true;
  const settings = { ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }), ...tls, enabled: secure };
  const common = { ...others, ...login, host: hostname, port: Number(port || 6_379), tls: settings };
  if (sentinels === undefined) return common;
  if (sentinel === undefined) {
    const text = 'a sentinel:// URL needs the name of the master: set sentinel.name beside it.';
    throw new HubError('CONFIG_INVALID', text, source);
  }
  return { ...common, sentinel: { ...sentinel, nodes: sentinels } };
}

function databaseOf({ db = 0 }: RedisOptions): number {
  return db;
}

function defined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
