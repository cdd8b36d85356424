import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { AMQP_DEFAULTS, AmqpLink, AmqpPublisher, AmqpRpc } from '../../src/amqp/index.js';
import { StoreLogger } from '../../src/embedded/store-logger.js';
import { RabbitDeadLetters } from '../../src/datastream/drivers/rabbitmq/rabbit-dead-letters.js';
import { RabbitQueues, type RabbitQueuesSettings } from '../../src/datastream/drivers/rabbitmq/rabbit-queues.js';
import { deadQueue, delayQueue, delaySteps } from '../../src/datastream/drivers/rabbitmq/topology.js';
import { neededService } from './needed-service.js';

const SOURCE = { plugin: 'datastream', driver: 'rabbitmq' };
const QUORUM: RabbitQueuesSettings = { queueType: 'quorum', durable: true, priorities: false, declare: 'assert' };

/** The parts of the RabbitMQ driver on the tests' broker, with names of their own and a second, plain connection. */
export class RabbitRoom {
  /** Names that {@link close} removes. */
  readonly #made = new Set<string>();
  readonly #links: AmqpLink[] = [];
  readonly #prefix = `room-${randomUUID().slice(0, 8)}`;

  private constructor(
    readonly url: string,
    private readonly plain: ChannelModel,
    /** Not the driver's: to look at the broker, and to do what other clients do. */
    readonly channel: ConfirmChannel,
    readonly publisher: AmqpPublisher,
    readonly rpc: AmqpRpc,
    readonly consume: AmqpLink,
  ) {}

  /** Connects. @param through another way to the broker for the driver's own connections, such as a proxy's URL */
  static async open(through?: string): Promise<RabbitRoom> {
    const { address } = neededService('rabbitmq');
    Logger.overrideLogger(['error', 'fatal']);
    const options = { ...AMQP_DEFAULTS, url: through ?? address };
    const links = (['publish', 'consume'] as const).map(
      (role) => new AmqpLink(options, role, new StoreLogger('RabbitRoom'), SOURCE),
    );
    const [publish, consume] = links as [AmqpLink, AmqpLink];
    await Promise.all(links.map((link) => link.open()));
    const plain = await connect(address);
    const publisher = new AmqpPublisher(publish, options, SOURCE);
    const rpc = new AmqpRpc(consume, 10_000, SOURCE);
    const room = new RabbitRoom(address, plain, await plain.createConfirmChannel(), publisher, rpc, consume);
    room.#links.push(...links);
    return room;
  }

  /** A name that nobody else uses. */
  name(label: string): string {
    const name = `${this.#prefix}.${label}`;
    this.#made.add(name);
    return name;
  }

  /** The driver's queues. */
  queues(settings: Partial<RabbitQueuesSettings> = {}): RabbitQueues {
    return new RabbitQueues(this.rpc, { ...QUORUM, ...settings }, SOURCE);
  }

  /** The driver's dead letters. */
  deadLetters(queues: RabbitQueues): RabbitDeadLetters {
    return new RabbitDeadLetters(this.consume, this.publisher, queues, SOURCE);
  }

  /** A channel of the plain connection that may be closed by what is done on it. */
  async spare(): Promise<ConfirmChannel> {
    const channel = await this.plain.createConfirmChannel();
    channel.on('error', () => undefined);
    return channel;
  }

  /** Removes all that has one of its names, and disconnects. */
  async close(): Promise<void> {
    await this.publisher.close();
    const channel = await this.plain.createChannel();
    for (const name of this.#made) {
      const queues = [name, deadQueue(name), ...delaySteps().map((step) => delayQueue(name, step))];
      await Promise.all([...queues.map((queue) => channel.deleteQueue(queue)), channel.deleteExchange(name)]);
    }
    await this.rpc.close();
    await Promise.all([this.plain.close(), ...this.#links.map((link) => link.close())]);
  }
}
