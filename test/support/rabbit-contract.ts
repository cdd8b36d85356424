import type { ContractHarness } from '../../src/core/contract.js';
import type { DataStreamPlugin } from '../../src/datastream/datastream.plugin.js';
import type { RabbitMQPluginOptions } from '../../src/datastream/drivers/rabbitmq/rabbitmq.options.js';
import { RabbitMQPlugin } from '../../src/datastream/drivers/rabbitmq/rabbitmq.plugin.js';
import { neededService } from './needed-service.js';
import { RabbitVhost } from './rabbit-vhost.js';

/** Settings of the driver with which the contract runs, on a vhost of its own of the tests' broker. */
export class RabbitContractTarget {
  readonly #service = neededService('rabbitmq');
  #vhost?: RabbitVhost;

  constructor(
    private readonly label: string,
    private readonly options: RabbitMQPluginOptions,
  ) {}

  /** Whether there is no broker. */
  get isMissing(): boolean {
    return this.#service.missing;
  }

  /** The label, and why the target is skipped when it is. */
  get name(): string {
    return `${this.label}${this.#service.note}`;
  }

  /** Creates the vhost. */
  async start(): Promise<void> {
    this.#vhost = await RabbitVhost.open('contract');
  }

  /** Removes the vhost. */
  async stop(): Promise<void> {
    await this.#vhost?.remove();
  }

  /** Plugins on the vhost, which is emptied after each test. */
  get harness(): Required<ContractHarness<DataStreamPlugin>> {
    const open = async (): Promise<DataStreamPlugin> =>
      new RabbitMQPlugin({ url: this.#vhost?.url ?? '', ...this.options });
    return {
      create: open,
      reopen: open,
      cleanup: async () => {
        const queues = (await this.#vhost?.queues()) ?? [];
        await Promise.all(queues.map(async ({ name }) => this.#vhost?.deleteQueue(name)));
      },
    };
  }
}

/** The settings in which queues behave differently. */
export const rabbitTargets: readonly RabbitContractTarget[] = [
  new RabbitContractTarget('quorum queues', {}),
  new RabbitContractTarget('classic queues with priorities', { queueType: 'classic', priorities: true }),
];
