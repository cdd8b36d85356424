import type { AmqpRpc } from '../../../amqp/amqp.rpc.js';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import { ParkedMessages } from './parked-messages.js';
import { delayQueue, delayQueueOptions, delayStep } from './topology.js';

/** The queues in which messages wait for a delayed retry, as far as this process has used them. */
export class DelayQueues {
  readonly #used = new Map<string, Map<number, Promise<string>>>();
  readonly #parked = new ParkedMessages();

  /** @param declare see `RabbitMQOptions.declare` */
  constructor(
    private readonly rpc: AmqpRpc,
    private readonly declare: 'assert' | 'passive' | 'none',
    private readonly source: HubErrorOptions,
  ) {}

  /**
   * Name of the queue in which a message of `queue` waits for `ms`, rounded up to the next step. It is declared (`passive`:
   * looked for) once; calls at the same time share that. Rejects with `NOT_FOUND` when it is missing and not ours to make.
   */
  ensure(queue: string, ms: number): Promise<string> {
    const step = delayStep(ms);
    const steps = this.#used.get(queue) ?? new Map<number, Promise<string>>();
    this.#used.set(queue, steps);
    const known = steps.get(step);
    if (known !== undefined) return known;
    const declared = this.#declare(queue, step);
    steps.set(step, declared);
    declared.catch(() => {
      // The next one who needs it tries again.
      if (steps.get(step) === declared) steps.delete(step);
    });
    return declared;
  }

  /** Notes that a message of `queue` waits for `ms` from now on. */
  parked(queue: string, ms: number): void {
    this.#parked.add(queue, delayStep(ms));
  }

  /** How many messages of `queue` wait. One of its queues that is gone is forgotten. */
  async count(queue: string): Promise<number> {
    let count = 0;
    for (const step of this.#used.get(queue)?.keys() ?? []) {
      try {
        const name = delayQueue(queue, step);
        count += (await this.rpc.run('queueInfo', (channel) => channel.checkQueue(name))).messageCount;
      } catch (error) {
        if (!HubError.is(error, 'NOT_FOUND')) throw error;
        this.#used.get(queue)?.delete(step);
      }
    }
    return Math.max(count, this.#parked.count(queue));
  }

  /** Lets the delay queues of `queue` be declared again when they are needed. */
  forget(queue: string): void {
    this.#used.delete(queue);
    this.#parked.forget(queue);
  }

  /** Declares all that were used once more: the broker may have come back without them. */
  async declareAgain(): Promise<void> {
    for (const [queue, steps] of this.#used) {
      for (const step of [...steps.keys()]) {
        steps.delete(step);
        await this.ensure(queue, step);
      }
    }
  }

  async #declare(queue: string, step: number): Promise<string> {
    const name = delayQueue(queue, step);
    if (this.declare === 'assert') {
      await this.rpc.run('requeue', (channel) => channel.assertQueue(name, delayQueueOptions(queue, step)));
    }
    if (this.declare !== 'passive') return name;
    try {
      await this.rpc.run('requeue', (channel) => channel.checkQueue(name));
      return name;
    } catch (error) {
      if (!HubError.is(error, 'NOT_FOUND')) throw error;
      const { arguments: queueArguments } = delayQueueOptions(queue, step);
      throw new HubError(
        'NOT_FOUND',
        `the queue "${name}" for a delay of ${step} ms does not exist, and declare is "passive": whoever owns the ` +
          `topology has to create it, durable, with the arguments ${JSON.stringify(queueArguments)}.`,
        { ...this.source, operation: 'requeue', cause: error, details: { queue: name } },
      );
    }
  }
}
