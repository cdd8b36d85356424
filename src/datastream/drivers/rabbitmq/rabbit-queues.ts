import { faultText } from '../../../amqp/amqp.errors.js';
import type { AmqpRpc } from '../../../amqp/amqp.rpc.js';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { QueueInfo, QueueOptions } from '../../datastream.types.js';
import { checkQueueName, resolveQueueOptions, type ResolvedQueueOptions } from '../../datastream.validation.js';
import { DelayQueues } from './delay-queues.js';
import { queueMissing } from './rabbitmq.errors.js';
import { declareBindings, declareExchanges, exchangesExist } from './topology-declaration.js';
import type { TopologyOptions } from './topology.options.js';
import {
  dataQueueOptions,
  deadQueue,
  deadQueueOptions,
  delayQueue,
  delaySteps,
  type RabbitQueueSettings,
} from './topology.js';

/** How queues are made, and whether the hub makes them at all; see `RabbitMQOptions`. */
export interface RabbitQueuesSettings extends RabbitQueueSettings {
  declare: 'assert' | 'passive' | 'none';
}

/** Data queues with what belongs to each: its dead letter queue and its delay queues. */
export class RabbitQueues {
  readonly #known = new Map<string, ResolvedQueueOptions>();
  readonly #delays: DelayQueues;

  constructor(
    private readonly rpc: AmqpRpc,
    private readonly settings: RabbitQueuesSettings,
    private readonly source: HubErrorOptions,
  ) {
    this.#delays = new DelayQueues(rpc, settings.declare, source);
  }

  /** The options of a queue that this process has created or was told of; `undefined` for those of others. */
  known(queue: string): ResolvedQueueOptions | undefined {
    return this.#known.get(queue);
  }

  /**
   * Declares the queue and its dead letter queue. Where others own the topology, it only looks whether both are there.
   * Rejects with `INVALID_ARGUMENT`, `CONFLICT` (it exists with other options) or `NOT_FOUND` (not ours to make).
   */
  async create(queue: string, options: QueueOptions, source: HubErrorOptions): Promise<void> {
    checkQueueName(queue, source);
    const wanted = resolveQueueOptions(options, source);
    if (this.settings.declare === 'assert') await this.#assert(queue, wanted, source);
    else await this.#look(queue, source);
    this.#known.set(queue, wanted);
  }

  /** Makes a queue again that this process has created and that is gone; nothing where others own the topology. */
  async restore(queue: string): Promise<void> {
    const options = this.#known.get(queue);
    if (options === undefined || this.settings.declare !== 'assert') return;
    await this.#assert(queue, options, this.#sourceOf('createQueue'));
  }

  /** Deletes the queue with its dead letter queue and all its delay queues; missing ones have no effect. */
  async delete(queue: string): Promise<void> {
    this.#known.delete(queue);
    this.#delays.forget(queue);
    await this.rpc.run('deleteQueue', async (channel) => {
      const delays = delaySteps().map((step) => delayQueue(queue, step));
      for (const name of [queue, ...delays, deadQueue(queue)]) await channel.deleteQueue(name);
    });
  }

  /**
   * Messages and consumers of the queue, those of other processes included; `delayed` are those in the delay queues that
   * this process has used. `NOT_FOUND` for a missing queue.
   */
  async counts(queue: string): Promise<Omit<QueueInfo, 'name' | 'unacked'>> {
    // In the direction in which messages go, so that none is missed on its way.
    const delayed = await this.#delays.count(queue);
    const [data, dead] = await this.#withQueue('queueInfo', queue, () =>
      this.rpc.run('queueInfo', async (channel) => [
        await channel.checkQueue(queue),
        await channel.checkQueue(deadQueue(queue)),
      ]),
    );
    return {
      ready: data?.messageCount ?? 0,
      delayed,
      deadLetters: dead?.messageCount ?? 0,
      consumers: data?.consumerCount ?? 0,
    };
  }

  /** Messages in the queue that can be delivered now. `NOT_FOUND` for a missing queue. */
  async ready(queue: string): Promise<number> {
    return this.#withQueue('queueInfo', queue, async () => {
      return (await this.rpc.run('queueInfo', (channel) => channel.checkQueue(queue))).messageCount;
    });
  }

  /** Removes the ready messages and resolves to their number. `NOT_FOUND` for a missing queue. */
  async flush(queue: string): Promise<number> {
    return this.#withQueue('flushQueue', queue, async () => {
      return (await this.rpc.run('flushQueue', (channel) => channel.purgeQueue(queue))).messageCount;
    });
  }

  /** Removes the dead letters that nobody has in hand and resolves to their number. `NOT_FOUND` for a missing queue. */
  async purgeDeadLetters(queue: string): Promise<number> {
    return this.#withQueue('purgeDeadLetters', queue, async () => {
      return (await this.rpc.run('purgeDeadLetters', (channel) => channel.purgeQueue(deadQueue(queue)))).messageCount;
    });
  }

  /** Name of the queue in which a message of `queue` waits for `ms`; see {@link DelayQueues.ensure}. */
  ensureDelayQueue(queue: string, ms: number): Promise<string> {
    return this.#delays.ensure(queue, ms);
  }

  /** Notes that a message waits in that queue from now on. */
  parked(queue: string, ms: number): void {
    this.#delays.parked(queue, ms);
  }

  /** Lets the delay queues of `queue` be declared again when they are needed: somebody has deleted one. */
  forgetDelayQueues(queue: string): void {
    this.#delays.forget(queue);
  }

  /**
   * What the configuration names: declared (`assert`), looked for (`passive`: exchanges and queues; a broker cannot be
   * asked for a binding), or only noted (`none`). Rejects with `CONFLICT` or `NOT_FOUND`.
   */
  async declareTopology(topology: TopologyOptions): Promise<void> {
    const source = this.#sourceOf('initialize');
    const { declare } = this.settings;
    if (declare === 'assert') await declareExchanges(this.rpc, topology.exchanges, source);
    if (declare === 'passive') await exchangesExist(this.rpc, topology.exchanges, source);
    for (const { name, ...options } of topology.queues) {
      if (declare === 'none') this.#known.set(name, resolveQueueOptions(options, source));
      else await this.create(name, options, source);
    }
    if (declare === 'assert') await declareBindings(this.rpc, topology.bindings, source);
  }

  /** {@link declareTopology} once more, and the queues that were created since; nothing where others own the topology. */
  async declareAgain(topology: TopologyOptions): Promise<void> {
    if (this.settings.declare !== 'assert') return;
    await this.declareTopology(topology);
    for (const queue of this.#known.keys()) await this.restore(queue);
    await this.#delays.declareAgain();
  }

  async #assert(queue: string, wanted: ResolvedQueueOptions, source: HubErrorOptions): Promise<void> {
    this.#checkUnchecked(queue, wanted, source);
    try {
      await this.rpc.run(source.operation ?? 'createQueue', async (channel) => {
        // First, so that no message can leave the queue for one that is not there yet.
        await channel.assertQueue(deadQueue(queue), deadQueueOptions());
        await channel.assertQueue(queue, dataQueueOptions(queue, this.settings, wanted));
      });
    } catch (error) {
      if (!HubError.is(error, 'CONFLICT', 'UNAUTHORIZED')) throw error;
      const text = faultText(error.cause);
      if (error.code === 'UNAUTHORIZED') {
        throw new HubError(
          'UNAUTHORIZED',
          `the queue "${queue}" was not created: ${text}. The user needs the right to configure it; with declare: passive ` +
            'or none, where others own the topology, it needs none.',
          { ...source, cause: error.cause, details: { ...error.details, queue } },
        );
      }
      const hint = text.includes("'x-delivery-limit'") ? ' (one less than deliveryLimit)' : '';
      throw new HubError(
        'CONFLICT',
        `the queue "${queue}" exists with other settings: ${text}${hint}. Use the same options, or delete the queue ` +
          'first; deleting it removes its messages.',
        { ...source, cause: error.cause, details: { ...error.details, queue } },
      );
    }
  }

  /** Of a classic queue, the broker knows no delivery limit to compare with. */
  #checkUnchecked(queue: string, { deliveryLimit }: ResolvedQueueOptions, source: HubErrorOptions): void {
    const known = this.#known.get(queue);
    if (this.settings.queueType === 'quorum' || known === undefined || known.deliveryLimit === deliveryLimit) return;
    throw new HubError(
      'CONFLICT',
      `the queue "${queue}" exists with deliveryLimit ${known.deliveryLimit}, not ${deliveryLimit}. Use the same options, ` +
        'or delete the queue first.',
      { ...source, details: { queue, option: 'deliveryLimit' } },
    );
  }

  async #look(queue: string, source: HubErrorOptions): Promise<void> {
    for (const name of [queue, deadQueue(queue)]) {
      try {
        await this.rpc.run(source.operation ?? 'createQueue', (channel) => channel.checkQueue(name));
      } catch (error) {
        if (!HubError.is(error, 'NOT_FOUND')) throw error;
        throw new HubError(
          'NOT_FOUND',
          `the queue "${name}" does not exist, and declare is "${this.settings.declare}": whoever owns the topology has to ` +
            `create "${queue}" and "${deadQueue(queue)}".`,
          { ...source, cause: error, details: { queue: name } },
        );
      }
    }
  }

  async #withQueue<T>(operation: string, queue: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw HubError.is(error, 'NOT_FOUND') ? queueMissing(queue, this.#sourceOf(operation), error) : error;
    }
  }

  #sourceOf(operation: string): HubErrorOptions {
    return { ...this.source, operation };
  }
}
