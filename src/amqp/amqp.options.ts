import Joi from 'joi';
import { MAX_TIMER_MS } from '../core/deadline.js';
import { MAX_RETRY_DELAY_MS } from '../core/retry.js';
import { urlFault } from './amqp.url.js';

/** How a connection is secured. */
export interface AmqpTlsOptions {
  /** Whether TLS is used. Default: with a URL, what its scheme says; otherwise whether any other key of this group is given. */
  enabled?: boolean;
  /** Certificates of the trusted authorities: PEM, or the path of a file with it. Default: those of Node. */
  ca?: string;
  /** The client's certificate: PEM, or the path of a file with it. */
  cert?: string;
  /** The client's private key: PEM, or the path of a file with it. */
  key?: string;
  /** Passphrase of `key`. */
  passphrase?: string;
  /** Name that the broker's certificate has to be for. Default: the host. */
  servername?: string;
  /** `false`: takes any certificate of the broker. Default true. */
  rejectUnauthorized?: boolean;
}

/** How patiently a lost connection is opened again; there is no end to it. */
export interface AmqpReconnectOptions {
  /** Wait before the second attempt, in ms; the first comes after a wait of the same length. Default 200. */
  delay: number;
  /** What the wait is multiplied by after each attempt (with several nodes: after each round). Default 2. */
  factor: number;
  /** Longest wait, in ms. Default 3000. */
  maxDelay: number;
  /** Share of each wait (0 to 1) that is drawn at random. Default 0.5. */
  jitter: number;
}

/** Where an AMQP 0-9-1 broker is and how its connections are kept. */
export interface AmqpOptions {
  /**
   * `amqp(s)://user:password@host:port/vhost`, or a list of them for the nodes of one cluster. In place of `host` and
   * `port`; what a URL leaves out of user, password and vhost comes from `username`, `password` and `vhost`.
   */
  url?: string | readonly string[];
  /** Name or address of the broker. Default `localhost`. */
  host: string;
  /** Default 5672, with TLS 5671. */
  port?: number;
  /** Default `guest`, which a broker takes from its own machine only. */
  username: string;
  /** Default `guest`. */
  password: string;
  /** Virtual host. Default `/`. */
  vhost: string;
  tls?: AmqpTlsOptions;
  /**
   * Interval of heartbeats in ms, sent as whole seconds (rounded up). A connection without a sign of life for two to three of
   * them is lost. 0: none. Default 10 000.
   */
  heartbeat: number;
  /** What the broker shows as the connections' names, with ` publish` and ` consume` behind it. Default `experiment-hub`. */
  connectionName: string;
  /** Most time of an attempt to connect, of the first connection as a whole, and to open a channel, in ms. Default 10 000. */
  connectTimeout: number;
  reconnect: AmqpReconnectOptions;
  /** Most time of a send in ms, the broker's confirm included. Default 30 000. */
  publishTimeout: number;
  /**
   * What sends do while there is no connection: `wait` for it until `publishTimeout` (default), or `fail` with
   * `UNAVAILABLE` at once.
   */
  whileDisconnected: 'wait' | 'fail';
}

/** Defaults of {@link AmqpOptions}. */
export const AMQP_DEFAULTS = {
  host: 'localhost',
  username: 'guest',
  password: 'guest',
  vhost: '/',
  heartbeat: 10_000,
  connectionName: 'experiment-hub',
  connectTimeout: 10_000,
  reconnect: { delay: 200, factor: 2, maxDelay: 3_000, jitter: 0.5 },
  publishTimeout: 30_000,
  whileDisconnected: 'wait',
} as const satisfies AmqpOptions;

/** Longest heartbeat: AMQP has 16 bits for its seconds. */
const MAX_HEARTBEAT_MS = 65_535_000;

const ms = () => Joi.number().integer().min(1).max(MAX_TIMER_MS);

const url = () =>
  Joi.string()
    .custom((value: string, helpers) => {
      const fault = urlFault(value);
      return fault === undefined ? value : helpers.error('amqp.url', { fault });
    }, 'address of a broker')
    .messages({ 'amqp.url': '{{#fault}}' })
    .meta({ secret: true });

const pem = (what: string) => Joi.string().description(`${what}: PEM, or the path of a file with it.`);

const tls = Joi.object<AmqpTlsOptions>({
  enabled: Joi.boolean().description(
    'Whether TLS is used. Default: what the scheme of the URL says; without a URL, whether any other key here is given.',
  ),
  ca: pem('Certificates of the trusted authorities'),
  cert: pem("The client's certificate"),
  key: pem("The client's private key").meta({ secret: true }),
  passphrase: Joi.string().allow('').meta({ secret: true }).description('Passphrase of the private key.'),
  servername: Joi.string().description("Name that the broker's certificate has to be for. Default: the host."),
  rejectUnauthorized: Joi.boolean().description(
    'false: takes any certificate of the broker, for trying things out. Default true.',
  ),
});

const { reconnect: wait } = AMQP_DEFAULTS;

const reconnect = Joi.object<AmqpReconnectOptions>({
  delay: Joi.number().min(0).max(MAX_RETRY_DELAY_MS).default(wait.delay).description('First wait, in ms.'),
  factor: Joi.number().min(1).default(wait.factor).description('What the wait is multiplied by after each attempt.'),
  maxDelay: Joi.number().min(1).max(MAX_RETRY_DELAY_MS).default(wait.maxDelay).description('Longest wait, in ms.'),
  jitter: Joi.number()
    .min(0)
    .max(1)
    .default(wait.jitter)
    .description('Share of each wait (0 to 1) that is drawn at random.'),
});

/** Joi keys of {@link AmqpOptions}, for the schemas of the drivers. */
export const amqpKeys = {
  url: Joi.alternatives(url(), Joi.array().items(url()).min(1)).description(
    'amqp(s)://user:password@host:port/vhost, or a list of them for the nodes of one cluster; instead of host and port. ' +
      'What it leaves out of user, password and vhost comes from username, password and vhost.',
  ),
  host: Joi.string().hostname().default(AMQP_DEFAULTS.host).description('Name or address of the broker.'),
  port: Joi.number().port().description('Port of the broker. Default 5672, with TLS 5671.'),
  username: Joi.string().default(AMQP_DEFAULTS.username).description('User of the broker.'),
  password: Joi.string()
    .allow('')
    .default(AMQP_DEFAULTS.password)
    .meta({ secret: true })
    .description('Password of the user.'),
  vhost: Joi.string().default(AMQP_DEFAULTS.vhost).description('Virtual host of the broker.'),
  tls: tls.description('How the connection is secured.'),
  heartbeat: Joi.number()
    .integer()
    .min(0)
    .max(MAX_HEARTBEAT_MS)
    .default(AMQP_DEFAULTS.heartbeat)
    .description(
      'Interval of heartbeats in ms, sent as whole seconds; a connection without a sign of life for two to three of them is lost. 0: none.',
    ),
  connectionName: Joi.string()
    .max(200)
    .default(AMQP_DEFAULTS.connectionName)
    .description("What the broker shows as the connections' names."),
  connectTimeout: ms()
    .default(AMQP_DEFAULTS.connectTimeout)
    .description('Most time of an attempt to connect, and of the first connection as a whole, in ms.'),
  reconnect: reconnect.default().description('How patiently a lost connection is opened again; there is no end to it.'),
  publishTimeout: ms()
    .default(AMQP_DEFAULTS.publishTimeout)
    .description("Most time of a send in ms, the broker's confirm included."),
  whileDisconnected: Joi.string()
    .valid('wait', 'fail')
    .default(AMQP_DEFAULTS.whileDisconnected)
    .description('Whether sends wait for a lost connection until publishTimeout, or fail with UNAVAILABLE at once.'),
};
