import Joi from 'joi';
import type { QueueOptions } from '../../datastream.types.js';
import { MAX_DURATION_MS, QUEUE_NAME } from '../../datastream.validation.js';

/** An exchange that other clients publish to. */
export interface ExchangeOptions {
  name: string;
  type: 'direct' | 'fanout' | 'topic' | 'headers';
  /** Whether it survives a restart of the broker. Default true. */
  durable: boolean;
  /** Whether it goes when its last binding goes. Default false. */
  autoDelete: boolean;
  /** Whether only other exchanges can publish to it. Default false. */
  internal: boolean;
  /** Further arguments, such as `alternate-exchange`. */
  arguments?: Record<string, unknown>;
}

/** What of an exchange goes to a queue. */
export interface BindingOptions {
  exchange: string;
  queue: string;
  /** Default: the empty one, for exchanges that do not look at it. */
  routingKey: string;
  /** The headers that an exchange of type `headers` looks for. */
  arguments?: Record<string, unknown>;
}

/** What is declared, or checked, when the plugin opens. */
export interface TopologyOptions {
  /** Exchanges. Default: none. The hub itself sends to queues directly. */
  exchanges: readonly ExchangeOptions[];
  /** Data queues. Default: none. One that exists with other options is `CONFLICT`. */
  queues: readonly (QueueOptions & { name: string })[];
  /** Bindings of data queues to exchanges. Default: none. */
  bindings: readonly BindingOptions[];
}

const freeArguments = Joi.object().pattern(Joi.string(), Joi.any());

const exchange = Joi.object<ExchangeOptions>({
  name: Joi.string().max(255).required().description('Name of the exchange.'),
  type: Joi.string().valid('direct', 'fanout', 'topic', 'headers').required().description('Kind of the exchange.'),
  durable: Joi.boolean().default(true).description('Whether it survives a restart of the broker.'),
  autoDelete: Joi.boolean().default(false).description('Whether it goes when its last binding goes.'),
  internal: Joi.boolean().default(false).description('Whether only other exchanges can publish to it.'),
  arguments: freeArguments.description('Further arguments, such as alternate-exchange.'),
});

const queue = Joi.object<TopologyOptions['queues'][number]>({
  name: Joi.string().pattern(QUEUE_NAME, 'letters, digits and _ - . : /').required().description('Name of the queue.'),
  maxLength: Joi.number().integer().min(1).description('Most ready messages; further sends are CONFLICT.'),
  messageTtl: Joi.number().integer().min(1).max(MAX_DURATION_MS).description('Time to live of its messages, in ms.'),
  deliveryLimit: Joi.number().integer().min(1).description('Most deliveries of a message. Default 20.'),
});

const binding = Joi.object<BindingOptions>({
  exchange: Joi.string().required().description('Name of the exchange.'),
  queue: Joi.string().required().description('Name of the queue.'),
  routingKey: Joi.string().allow('').max(255).default('').description('Routing key, or pattern of a topic exchange.'),
  arguments: freeArguments.description('Headers that an exchange of type headers looks for.'),
});

/** Joi keys of {@link TopologyOptions}. */
export const topologyKeys = {
  exchanges: Joi.array().items(exchange).default([]).description('Exchanges that other clients publish to.'),
  queues: Joi.array().items(queue).default([]).description('Queues that are created when the plugin opens.'),
  bindings: Joi.array().items(binding).default([]).description('What of an exchange goes to a queue.'),
};
