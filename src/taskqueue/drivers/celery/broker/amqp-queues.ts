import type { AmqpLink, AmqpRpc } from '../../../../amqp/index.js';
import { HubError, type HubErrorOptions } from '../../../../core/errors.js';
import type { JsonObject } from '../../../../core/json.js';
import type { CeleryOptions } from '../celery.options.js';
import type { TaskRoute } from './task-route.js';

/** Makes sure, once per connection, that the queues are there to which tasks go. */
export class AmqpQueues {
  readonly #known = new Map<string, Promise<void>>();
  /** Those of them that are there. */
  readonly #ready = new Set<string>();
  readonly #unlisten: () => void;

  constructor(
    link: AmqpLink,
    private readonly rpc: AmqpRpc,
    private readonly options: Pick<
      CeleryOptions,
      'declare' | 'queues' | 'queueArguments' | 'queueType' | 'maxPriority'
    >,
    private readonly source: HubErrorOptions,
  ) {
    // A broker that comes back may have lost what was not durable, or all of its disk.
    this.#unlisten = link.listen({
      down: () => {
        this.#known.clear();
        this.#ready.clear();
      },
    });
  }

  /** Whether the queue of a route is known to be there. */
  isReady({ queue }: TaskRoute): boolean {
    return queue === undefined || this.options.declare === 'none' || this.#ready.has(queue);
  }

  /** Declares the queue of a route, or looks for it. `CONFLICT` when it has other arguments, `NOT_FOUND` when there is none. */
  async ensure({ queue }: TaskRoute): Promise<void> {
    const { declare } = this.options;
    if (queue === undefined || declare === 'none') return;
    let known = this.#known.get(queue);
    if (known === undefined) {
      known = this.#declare(queue, declare).then(() => void this.#ready.add(queue));
      this.#known.set(queue, known);
      known.catch(() => this.forget(queue));
    }
    await known;
  }

  /** Looks again next time: the queue was deleted. */
  forget(queue: string): void {
    this.#known.delete(queue);
    this.#ready.delete(queue);
  }

  close(): void {
    this.#unlisten();
  }

  async #declare(queue: string, declare: 'assert' | 'passive'): Promise<void> {
    try {
      await this.rpc.run('submitTask', async (channel) => {
        if (declare === 'passive') await channel.checkQueue(queue);
        else await channel.assertQueue(queue, { durable: true, arguments: this.#arguments(queue) });
      });
    } catch (error) {
      if (HubError.is(error, 'CONFLICT')) {
        const text =
          `the queue "${queue}" exists with other arguments than queueType, maxPriority and queueArguments say. Set them ` +
          `as the workers have them (task_default_queue_type, task_queue_max_priority, queue_arguments), or set declare: none. ${error.message}`;
        throw new HubError('CONFLICT', text, { ...this.source, cause: error });
      }
      if (HubError.is(error, 'NOT_FOUND')) {
        const text = `there is no queue "${queue}": start a worker with -Q ${queue}, or set declare: assert.`;
        throw new HubError('NOT_FOUND', text, { ...this.source, cause: error });
      }
      throw error;
    }
  }

  #arguments(queue: string): JsonObject {
    const own = this.options.queues[queue]?.arguments;
    if (own !== undefined) return own;
    const { queueType, maxPriority, queueArguments } = this.options;
    return {
      ...(queueType === 'quorum' ? { 'x-queue-type': 'quorum' } : {}),
      ...(maxPriority === undefined ? {} : { 'x-max-priority': maxPriority }),
      ...queueArguments,
    };
  }
}
