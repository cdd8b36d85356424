import Joi from 'joi';
import { amqpKeys, type AmqpOptions } from '../../../amqp/amqp.options.js';
import { MAX_TIMER_MS } from '../../../core/deadline.js';
import type { JsonObject } from '../../../core/json.js';
import { redisKeys, type RedisOptions } from '../../../redis/redis.options.js';
import { backendUrlFault, brokerUrlFault } from './celery.urls.js';

/** What an AMQP connection is told beside its URL; as in the `rabbitmq` driver. */
export type CeleryAmqpOptions = Omit<AmqpOptions, 'url' | 'host' | 'port' | 'username' | 'password' | 'vhost'>;

/** What a Redis connection is told beside its URL. */
export interface CeleryRedisOptions extends Pick<
  RedisOptions,
  'username' | 'password' | 'db' | 'tls' | 'connectTimeout' | 'commandTimeout'
> {
  /** For `sentinel://` URLs: name of the group of servers whose master is used, and the login of the sentinels. */
  sentinel?: { name: string; username?: string; password?: string };
}

/** A queue that tasks are sent to. */
export interface CeleryQueueOptions {
  /** Arguments of its declaration on RabbitMQ; the workers have to declare the same. Default: `queueArguments`. */
  arguments?: JsonObject;
  /** Exchange that its tasks are published to. Default `''`: straight into the queue. */
  exchange?: string;
  /** Default: the queue's name. */
  routingKey?: string;
}

/** Options of the driver `taskqueue/celery`. */
export interface CeleryOptions {
  /**
   * Where tasks go, as Celery's `broker_url`: `amqp(s)://user:password@host:port/vhost` (several: nodes of one cluster),
   * `redis(s)://user:password@host:port/db`, or `sentinel://host:26379;sentinel://other:26379/db`.
   */
  brokerUrl: string | readonly string[];
  /** Where results are, as Celery's `result_backend`: `redis(s)://…`, `sentinel://…`, or `rpc://` (with RabbitMQ only). */
  backendUrl: string;
  /**
   * With `rpc://`: name of the queue of results, for this process alone. Results that come while it restarts are kept there.
   * Default: one of its own, which ends with it.
   */
  resultQueue?: string;
  /** Name of the application, in the origin of tasks and the names of connections. Default `experiment-hub`. */
  appName: string;
  /** Connections to RabbitMQ. */
  amqp: CeleryAmqpOptions;
  /** Connections to Redis as the broker. */
  redisBroker: CeleryRedisOptions;
  /** Connections to Redis with the results. */
  redisBackend: CeleryRedisOptions;
  /** Queue of tasks that name none and that no route is for, as `task_default_queue`. Default `celery`. */
  defaultQueue: string;
  /** Task name, with `*` for any part → queue. The first that fits counts. */
  routes: Record<string, string>;
  /** Queues with settings of their own. */
  queues: Record<string, CeleryQueueOptions>;
  /** Kind of the queues on RabbitMQ, as `task_default_queue_type`. Default `classic`. */
  queueType: 'classic' | 'quorum';
  /** Most priority of the queues on RabbitMQ (`x-max-priority`), as `task_queue_max_priority`. Default: no priorities. */
  maxPriority?: number;
  /** Further arguments of the queues on RabbitMQ. */
  queueArguments: JsonObject;
  /**
   * What is done about queues on RabbitMQ before the first task goes there: `assert` declares them, `passive` only looks
   * whether they exist, `none` nothing. Default `assert`.
   */
  declare: 'assert' | 'passive' | 'none';
  /** Only `json`: what the hub sends and reads. */
  serializer: 'json';
  /** Time zone in which eta and expiry are written, e.g. `Europe/Berlin`; it changes no point in time. Default `UTC`. */
  timezone: string;
  /** How long results are kept, in ms: the `result_expires` of the workers. Default 24 h. */
  resultExpires: number;
  /** `global_keyprefix` of the workers' `result_backend_transport_options`. Default none. */
  keyPrefix: string;
  /** `global_keyprefix` of the workers' `broker_transport_options`. Default none. */
  brokerKeyPrefix: string;
  /** `priority_steps` of the workers' `broker_transport_options`, on Redis. Default 0, 3, 6, 9. */
  prioritySteps: number[];
  /** `visibility_timeout` of the workers' `broker_transport_options` in ms, on Redis. Default 1 h. */
  visibilityTimeout: number;
  /** `consumer_timeout` of RabbitMQ in ms. Default 30 min. */
  consumerTimeout: number;
  /** Notes each submit beside the results (Redis), so that other processes know tasks that wait. Default true. */
  trackSubmits: boolean;
  /** Writes arguments into the events and logs of workers (`argsrepr`, `kwargsrepr`). Default false: `(hidden)`. */
  showArguments: boolean;
  /** Most bytes of one task's arguments, as JSON. Default 1 MiB. */
  maxPayloadBytes: number;
  /** Most time of a submit in ms, the broker's confirmation included; it is sent again after a lost connection. Default 30 000. */
  publishTimeout: number;
  /** How long workers have to answer `workers()`, inspections and the health check, in ms. Default 1000. */
  controlTimeout: number;
  /** What health says when no worker answers. Default `unhealthy`. */
  withoutWorkers: 'unhealthy' | 'degraded';
  /** Whether the application is ready only when a worker answers. Default false. */
  readinessNeedsWorkers: boolean;
}

/** {@link CeleryOptions} as they are given; what is left out has its default. */
export type CeleryPluginOptions = Partial<
  Omit<CeleryOptions, 'amqp' | 'redisBroker' | 'redisBackend'> & {
    amqp: Partial<CeleryAmqpOptions>;
    redisBroker: Partial<CeleryRedisOptions>;
    redisBackend: Partial<CeleryRedisOptions>;
  }
>;

const ms = () => Joi.number().integer().min(1).max(MAX_TIMER_MS);
const count = () => Joi.number().integer().min(1);
const QUEUE_NAME = /^[A-Za-z0-9_.-]{1,128}$/;
const queueName = () => Joi.string().pattern(QUEUE_NAME);
const freeMap = () => Joi.object().pattern(Joi.string(), Joi.any());

const url = (fault: (text: string) => string | undefined) =>
  Joi.string()
    .custom((value: string, helpers) => {
      const found = fault(value);
      return found === undefined ? value : helpers.error('celery.url', { fault: found });
    }, 'address')
    .messages({ 'celery.url': '{{#fault}}' })
    .meta({ secret: true });

const {
  url: _url,
  host: _host,
  port: _port,
  username: _username,
  password: _password,
  vhost: _vhost,
  ...amqp
} = amqpKeys;

const { username, password, db, tls, connectTimeout, commandTimeout } = redisKeys;

const sentinel = Joi.object<NonNullable<CeleryRedisOptions['sentinel']>>({
  name: Joi.string().required().description('Name of the group of servers whose master is used (master_name).'),
  username: Joi.string().description('User of the sentinels.'),
  password: Joi.string().allow('').meta({ secret: true }).description('Password of the sentinels.'),
}).description('With sentinel:// URLs: the group of servers, and the login of the sentinels.');

const redis = () =>
  Joi.object<CeleryRedisOptions>({ username, password, db, tls, connectTimeout, commandTimeout, sentinel }).default();

const queue = Joi.object<CeleryQueueOptions>({
  arguments: freeMap().description('Arguments of its declaration on RabbitMQ, in place of those of all queues.'),
  exchange: Joi.string().allow('').max(255).description('Exchange that its tasks are published to. Default: none.'),
  routingKey: Joi.string().max(255).description("Default: the queue's name."),
});

/** Joi schema of {@link CeleryOptions}. */
export const celerySchema = Joi.object<CeleryOptions>({
  brokerUrl: Joi.alternatives(url(brokerUrlFault), Joi.array().items(url(brokerUrlFault)).min(1))
    .default('amqp://guest:guest@localhost:5672')
    .description(
      "Where tasks go, as Celery's broker_url: amqp(s)://user:password@host:port/vhost (a list for the nodes of one " +
        'cluster), redis(s)://user:password@host:port/db, or sentinel://host:26379;sentinel://other:26379/db.',
    ),
  backendUrl: url(backendUrlFault)
    .default('redis://localhost:6379/0')
    .description("Where results are, as Celery's result_backend: redis(s)://, sentinel://, or rpc:// (RabbitMQ only)."),
  resultQueue: queueName().description(
    'With rpc://: name of the queue of results, for this process alone; what comes while it restarts is kept there.',
  ),
  appName: Joi.string()
    .max(100)
    .default('experiment-hub')
    .description('Name of the application, in the origin of tasks and the names of connections.'),
  amqp: Joi.object<CeleryAmqpOptions>(amqp).default().description('Connections to RabbitMQ.'),
  redisBroker: redis().description('Connections to Redis as the broker.'),
  redisBackend: redis().description('Connections to Redis with the results.'),
  defaultQueue: queueName()
    .default('celery')
    .description('Queue of tasks that name none and that no route is for, as task_default_queue.'),
  routes: Joi.object()
    .pattern(Joi.string(), queueName())
    .default({})
    .description('Task name, with * for any part, to queue. The first that fits counts.'),
  queues: Joi.object()
    .pattern(queueName(), queue.empty(null).default({}))
    .default({})
    .description('Queues with settings of their own, by name.'),
  queueType: Joi.string()
    .valid('classic', 'quorum')
    .default('classic')
    .description('Kind of the queues on RabbitMQ, as task_default_queue_type.'),
  maxPriority: Joi.number()
    .integer()
    .min(1)
    .max(255)
    .when('queueType', { is: 'quorum', then: Joi.forbidden() })
    .description('Most priority of the queues on RabbitMQ, as task_queue_max_priority. Default: no priorities.'),
  queueArguments: freeMap().default({}).description('Further arguments of the queues on RabbitMQ.'),
  declare: Joi.string()
    .valid('assert', 'passive', 'none')
    .default('assert')
    .description('Whether queues on RabbitMQ are declared, only looked for, or neither.'),
  serializer: Joi.string().valid('json').default('json').description('What the hub sends and reads.'),
  timezone: Joi.string()
    .custom((value: string, helpers) => (isTimeZone(value) ? value : helpers.error('celery.timezone')), 'time zone')
    .messages({ 'celery.timezone': 'has to be the name of a time zone, e.g. UTC or Europe/Berlin' })
    .default('UTC')
    .description('Time zone in which eta and expiry are written; it changes no point in time.'),
  resultExpires: Joi.number()
    .integer()
    .min(1_000)
    .default(86_400_000)
    .description('How long results are kept, in ms: the result_expires of the workers.'),
  keyPrefix: Joi.string()
    .allow('')
    .max(128)
    .default('')
    .description("global_keyprefix of the workers' result_backend_transport_options."),
  brokerKeyPrefix: Joi.string()
    .allow('')
    .max(128)
    .default('')
    .description("global_keyprefix of the workers' broker_transport_options, on Redis."),
  prioritySteps: Joi.array()
    .items(Joi.number().integer().min(0).max(9))
    .min(1)
    .unique()
    .default([0, 3, 6, 9])
    .description("priority_steps of the workers' broker_transport_options, on Redis."),
  visibilityTimeout: ms()
    .default(3_600_000)
    .description("visibility_timeout of the workers' broker_transport_options in ms, on Redis."),
  consumerTimeout: ms().default(1_800_000).description('consumer_timeout of RabbitMQ, in ms.'),
  trackSubmits: Joi.boolean()
    .default(true)
    .description('Notes each submit beside the results (Redis), so that other processes know tasks that wait.'),
  showArguments: Joi.boolean()
    .default(false)
    .description('Writes arguments into the events and logs of workers; otherwise they are hidden.'),
  maxPayloadBytes: count().default(1_048_576).description("Most bytes of one task's arguments, as JSON."),
  publishTimeout: ms()
    .default(30_000)
    .description(
      "Most time of a submit in ms, the broker's confirmation included; sent again after a lost connection.",
    ),
  controlTimeout: ms()
    .default(1_000)
    .description('How long workers have to answer workers(), inspections and the health check, in ms.'),
  withoutWorkers: Joi.string()
    .valid('unhealthy', 'degraded')
    .default('unhealthy')
    .description('What health says when no worker answers.'),
  readinessNeedsWorkers: Joi.boolean()
    .default(false)
    .description('Whether the application is ready only when a worker answers.'),
});

function isTimeZone(name: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
