import Joi from 'joi';
import { pageSchema, pageKeys } from '../http/paging.js';
import { json, queueParam, time } from './names.js';

const count = Joi.number().integer().min(0).required();
/** Longest time to live in ms: about 49 days, the most that AMQP carries. */
const MAX_TTL_MS = 2 ** 32 - 1;
const identity = Joi.string().max(255);

/** @internal */
export const queueParams = Joi.object({ queue: queueParam });

/** @internal */
export const queueAnswer = Joi.object({
  name: Joi.string().required(),
  ready: count.description('Messages that can be delivered now.'),
  unacked: count.description('Messages delivered and not settled.'),
  delayed: count.description('Messages that wait for a delayed retry.'),
  deadLetters: count,
  consumers: count,
});

/** @internal */
export const queueListQuery = Joi.object(pageKeys);

/** @internal */
export const queuePage = pageSchema(
  Joi.object({
    name: Joi.string().required(),
    read: Joi.boolean().required(),
    send: Joi.boolean().required(),
    manage: Joi.boolean().required(),
  }),
);

/** @internal */
export const messageBody = Joi.object({
  payload: json.required(),
  messageId: identity.description('Identity of the message. Default: a random UUID.'),
  correlationId: identity,
  headers: Joi.object()
    .pattern(/^(?![Xx]-[Hh][Uu][Bb]-)/, json)
    .description('Free JSON headers; names that begin with x-hub- are the hub’s.'),
  expiration: Joi.number().integer().min(1).max(MAX_TTL_MS).description('Time to live in ms.'),
  priority: Joi.number().integer().min(0).max(9).description('Higher first; where the driver knows priorities.'),
});

/** @internal */
export const sentAnswer = Joi.object({ messageId: Joi.string().required() });

/** @internal */
export const deadLettersQuery = Joi.object({ limit: pageKeys.limit });

/** @internal */
export const deadLettersAnswer = Joi.object({
  items: Joi.array()
    .items(
      Joi.object({
        messageId: Joi.string().allow('').required(),
        encoding: Joi.string().valid('json', 'base64').required().description('`base64`: the payload is bytes.'),
        payload: json,
        headers: Joi.object().unknown(true).required(),
        correlationId: Joi.string().allow('', null).required(),
        timestamp: time.required(),
        attempt: Joi.number().integer().required(),
        reason: Joi.string().valid('rejected', 'failed', 'expired', 'delivery-limit').required(),
        detail: Joi.string().allow('').required(),
        deadAt: time.required(),
      }),
    )
    .required()
    .description('The oldest ones.'),
});

/** @internal */
export const redriveBody = Joi.object({
  max: Joi.number().integer().min(1).max(1_000_000).description('The oldest so many. Default: all.'),
  messageIds: Joi.array().items(identity).min(1).max(1_000).description('Only these.'),
});

/** @internal */
export const countAnswer = Joi.object({ count });
