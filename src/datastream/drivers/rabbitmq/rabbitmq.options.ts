import Joi from 'joi';
import { amqpKeys, type AmqpOptions } from '../../../amqp/amqp.options.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from '../../datastream.validation.js';
import { topologyKeys, type TopologyOptions } from './topology.options.js';

/** The largest message that RabbitMQ takes by default (`max_message_size`), in bytes. */
const MAX_MESSAGE_BYTES = 134_217_728;

/** Options of the driver `datastream/rabbitmq`: those of the connection, the topology, and of sending and consuming. */
export interface RabbitMQOptions extends AmqpOptions, TopologyOptions {
  /**
   * `quorum` (default): replicated, counts the deliveries of a message even when they kill the process. `classic`: one
   * node; can have priorities, and a `maxLength` that holds exactly.
   */
  queueType: 'quorum' | 'classic';
  /** Whether queues survive a restart of the broker. Default true; `false` needs classic queues. */
  durable: boolean;
  /** Whether messages have priorities (0 to 9). Default false; `true` needs classic queues. */
  priorities: boolean;
  /**
   * Who owns the topology. `assert` (default): the hub declares what it needs. `passive`: others do, and the hub checks at
   * the start that it is there. `none`: others do, and the hub does not look.
   */
  declare: 'assert' | 'passive' | 'none';
  /** Most unsettled deliveries of a subscription that names no `prefetch`. Default: twice its concurrency. */
  prefetch?: number;
  /** Most bytes of one payload. Default 1 048 576 (1 MiB), at most 134 217 728 (RabbitMQ's own limit). */
  maxPayloadBytes: number;
  /** Ready messages in a consumed queue from which on health says `degraded`. Default: no limit. */
  backlogThreshold?: number;
}

/** {@link RabbitMQOptions} as they are given; what is left out has its default. */
export type RabbitMQPluginOptions = Partial<RabbitMQOptions>;

/** Schema of {@link RabbitMQOptions}. */
export const rabbitmqSchema = Joi.object<RabbitMQOptions>({
  ...amqpKeys,
  ...topologyKeys,
  queueType: Joi.string()
    .valid('quorum', 'classic')
    .default('quorum')
    .description('Kind of the queues that are created: quorum (replicated, counts deliveries) or classic.'),
  durable: Joi.boolean()
    .default(true)
    .when('queueType', { is: 'quorum', then: Joi.valid(true) })
    .messages({ 'any.only': 'durable: false needs queueType: classic' })
    .description('Whether queues survive a restart of the broker. false needs queueType classic.'),
  priorities: Joi.boolean()
    .default(false)
    .when('queueType', { is: 'quorum', then: Joi.valid(false) })
    .messages({ 'any.only': 'priorities: true needs queueType: classic' })
    .description('Whether messages have priorities. true needs queueType classic.'),
  declare: Joi.string()
    .valid('assert', 'passive', 'none')
    .default('assert')
    .description(
      'Who owns the topology: assert (the hub declares it), passive (it checks it), none (it does not look).',
    ),
  prefetch: Joi.number()
    .integer()
    .min(1)
    .max(65_535)
    .description('Most unsettled deliveries of a subscription that names none. Default: twice its concurrency.'),
  maxPayloadBytes: Joi.number()
    .integer()
    .min(1)
    .max(MAX_MESSAGE_BYTES)
    .default(DEFAULT_MAX_PAYLOAD_BYTES)
    .description('Most bytes of one payload.'),
  backlogThreshold: Joi.number()
    .integer()
    .min(1)
    .description('Ready messages in a consumed queue from which on health says degraded. Default: no limit.'),
});
