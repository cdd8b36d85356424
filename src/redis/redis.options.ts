import Joi from 'joi';
import { MAX_TIMER_MS } from '../core/deadline.js';

/** How connections to Redis are secured. */
export interface RedisTlsOptions {
  /** Whether TLS is used. Default: what the scheme of `url` says; without one, whether any other key here is given. */
  enabled?: boolean;
  /** Certificates of the trusted authorities, as PEM or a file of it. Default: those of Node. */
  ca?: string;
  /** The client's certificate, as PEM or a file of it. */
  cert?: string;
  /** The client's private key, as PEM or a file of it. */
  key?: string;
  /** Passphrase of `key`. */
  passphrase?: string;
  /** Name that the server's certificate has to be for. Default: the host. */
  servername?: string;
  /** `false`: takes any certificate of the server. Default true. */
  rejectUnauthorized?: boolean;
}

/** One address of a Redis server. */
export interface RedisNode {
  host: string;
  port: number;
}

/** Redis behind Sentinel. */
export interface RedisSentinelOptions {
  /** The sentinels. */
  nodes: RedisNode[];
  /** Name of the group of servers whose master is used. */
  name: string;
  username?: string;
  password?: string;
}

/** Where Redis is and how connections to it are kept. */
export interface RedisOptions {
  /** `redis(s)://user:password@host:port/db`, in place of `host` and `port`. */
  url?: string;
  /** Default `localhost`. */
  host: string;
  /** Default 6379. */
  port: number;
  /** Default: that of the URL, otherwise Redis' own `default`. */
  username?: string;
  /** Default: that of the URL, otherwise none. */
  password?: string;
  /** Number of the database. Default: that of the URL, otherwise 0. A cluster has only 0. */
  db?: number;
  tls?: RedisTlsOptions;
  /** In place of `url`, `host` and `port`. */
  sentinel?: RedisSentinelOptions;
  /** Nodes of a Redis cluster, in place of `url`, `host` and `port`. `prefix` then has to hold a hash tag, `{…}`. */
  cluster?: RedisNode[];
  /** Most time of an attempt to connect, and of the first connection as a whole, in ms. Default 10 000. */
  connectTimeout: number;
  /** Most time of a call of the application that Redis does not answer, in ms. Default 5000. */
  commandTimeout: number;
}

const ms = () => Joi.number().integer().min(1).max(MAX_TIMER_MS);
const pem = (what: string) => Joi.string().description(`${what}, as PEM or a file of it.`);
const host = () => Joi.string().hostname();
const port = () => Joi.number().port().default(6379);
const password = () => Joi.string().allow('').meta({ secret: true });

const node = Joi.object<RedisNode>({
  host: host().required().description('Name or address.'),
  port: port().description('Port.'),
});

const tls = Joi.object<RedisTlsOptions>({
  enabled: Joi.boolean().description(
    'Whether TLS is used. Default: what the scheme of the URL says; without one, whether any other key here is given.',
  ),
  ca: pem('Certificates of the trusted authorities'),
  cert: pem("The client's certificate"),
  key: pem("The client's private key").meta({ secret: true }),
  passphrase: password().description('Passphrase of the private key.'),
  servername: Joi.string().description("Name that the server's certificate has to be for. Default: the host."),
  rejectUnauthorized: Joi.boolean().description(
    'false: takes any certificate of the server, for trying things out. Default true.',
  ),
});

const sentinel = Joi.object<RedisSentinelOptions>({
  nodes: Joi.array().items(node).min(1).required().description('The sentinels.'),
  name: Joi.string().required().description('Name of the group of servers whose master is used.'),
  username: Joi.string().description('User of the sentinels.'),
  password: password().description('Password of the sentinels.'),
});

/** Joi keys of {@link RedisOptions}. */
export const redisKeys = {
  url: Joi.string()
    .uri({ scheme: ['redis', 'rediss'] })
    .meta({ secret: true })
    .description('redis(s)://user:password@host:port/db, instead of host and port.'),
  host: host().default('localhost').description('Name or address of the server.'),
  port: port().description('Port of the server.'),
  username: Joi.string().description('User. Default: that of the URL.'),
  password: password().description('Password. Default: that of the URL.'),
  db: Joi.number().integer().min(0).description('Number of the database. Default: that of the URL, otherwise 0.'),
  tls: tls.description('How connections are secured.'),
  sentinel: sentinel.description('Redis behind Sentinel, instead of url, host and port.'),
  cluster: Joi.array().items(node).min(1).description('Nodes of a Redis cluster, instead of url, host and port.'),
  connectTimeout: ms()
    .default(10_000)
    .description('Most time of an attempt to connect, and of the first connection as a whole, in ms.'),
  commandTimeout: ms()
    .default(5_000)
    .description('Most time of a call of the application that Redis does not answer, in ms.'),
};
