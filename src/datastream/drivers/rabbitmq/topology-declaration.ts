import { faultText } from '../../../amqp/amqp.errors.js';
import type { AmqpRpc } from '../../../amqp/amqp.rpc.js';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { BindingOptions, ExchangeOptions } from './topology.options.js';

/** Declares exchanges. Rejects with `CONFLICT` for one that exists with other settings. */
export async function declareExchanges(
  rpc: AmqpRpc,
  exchanges: readonly ExchangeOptions[],
  source: HubErrorOptions,
): Promise<void> {
  for (const { name, type, ...options } of exchanges) {
    try {
      await rpc.run('initialize', (channel) => channel.assertExchange(name, type, options));
    } catch (error) {
      throw explained(error, `the exchange "${name}" of config.exchanges`, source);
    }
  }
}

/** Looks whether exchanges exist. Rejects with `NOT_FOUND` naming the one that does not. */
export async function exchangesExist(
  rpc: AmqpRpc,
  exchanges: readonly ExchangeOptions[],
  source: HubErrorOptions,
): Promise<void> {
  for (const { name } of exchanges) {
    try {
      await rpc.run('initialize', (channel) => channel.checkExchange(name));
    } catch (error) {
      throw explained(error, `the exchange "${name}" of config.exchanges`, source);
    }
  }
}

/** Binds queues to exchanges. Rejects with `NOT_FOUND` when one of the two is missing. */
export async function declareBindings(
  rpc: AmqpRpc,
  bindings: readonly BindingOptions[],
  source: HubErrorOptions,
): Promise<void> {
  for (const { exchange, queue, routingKey, arguments: matching } of bindings) {
    try {
      await rpc.run('initialize', (channel) => channel.bindQueue(queue, exchange, routingKey, matching));
    } catch (error) {
      throw explained(error, `the binding of queue "${queue}" to exchange "${exchange}"`, source);
    }
  }
}

function explained(error: unknown, what: string, source: HubErrorOptions): unknown {
  if (!HubError.is(error, 'CONFLICT', 'NOT_FOUND', 'UNAUTHORIZED', 'INVALID_ARGUMENT')) return error;
  const todo = {
    CONFLICT: 'exists with other settings. Use the same, or delete it first',
    NOT_FOUND: 'needs something that does not exist. Whoever owns the topology has to create it',
    UNAUTHORIZED:
      'needs a right that the user does not have; set declare to passive or none where others own the topology',
  } as Record<string, string>;
  const { code, cause, details } = error;
  const advice = todo[code] ?? 'was refused by the broker';
  return new HubError(code, `${what} ${advice}: ${faultText(cause)}.`, { ...source, cause, details });
}
