export { amqpError } from './amqp.errors.js';
export { AmqpLink, type AmqpLinkListener } from './amqp.link.js';
export type { AmqpMessage, AmqpPublishOptions } from './amqp.message.js';
export {
  AMQP_DEFAULTS,
  amqpKeys,
  type AmqpOptions,
  type AmqpReconnectOptions,
  type AmqpTlsOptions,
} from './amqp.options.js';
export { AmqpPublisher } from './amqp.publisher.js';
export { AmqpRpc } from './amqp.rpc.js';
