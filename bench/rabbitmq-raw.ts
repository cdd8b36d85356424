import { randomUUID } from 'node:crypto';
import { ConsoleLogger } from '@nestjs/common';
import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import { connect, type ChannelModel, type ConfirmChannel, type Options } from 'amqplib';
import type { JsonValue } from 'nestjs-experiment-hub';

/** What every side gives a message: it survives a restart, comes back when no queue takes it, and has an id. */
function properties(): Options.Publish {
  return {
    contentType: 'application/json',
    persistent: true,
    mandatory: true,
    messageId: randomUUID(),
    timestamp: Math.floor(Date.now() / 1_000),
  };
}

/** amqplib as one would use it by hand: a connection to publish and one to consume. */
export class RawRabbit {
  private constructor(
    private readonly publishing: ChannelModel,
    private readonly consuming: ChannelModel,
    private readonly channel: ConfirmChannel,
  ) {}

  static async open(url: string): Promise<RawRabbit> {
    const [publishing, consuming] = await Promise.all([connect(url), connect(url)]);
    return new RawRabbit(publishing, consuming, await publishing.createConfirmChannel());
  }

  /**
   * @param done called when the broker has confirmed it
   * @param more properties beside the usual ones
   */
  publish(queue: string, payload: JsonValue, done: (error: unknown) => void, more?: Options.Publish): void {
    this.channel.publish(
      '',
      queue,
      Buffer.from(JSON.stringify(payload)),
      more === undefined ? properties() : { ...properties(), ...more },
      done,
    );
  }

  /** Acks each message after `handle`; resolves to how to stop. */
  async consume(queue: string, prefetch: number, handle: (payload: JsonValue) => void): Promise<() => Promise<void>> {
    const channel = await this.consuming.createChannel();
    await channel.prefetch(prefetch);
    await channel.consume(queue, (message) => {
      if (message === null) return;
      handle(JSON.parse(message.content.toString()) as JsonValue);
      channel.ack(message);
    });
    return () => channel.close();
  }

  async close(): Promise<void> {
    await Promise.all([this.publishing.close(), this.consuming.close()]);
  }
}

/** The connection that the driver is built on, used directly. */
export class RawGolevelup {
  private constructor(private readonly connection: AmqpConnection) {}

  static async open(url: string): Promise<RawGolevelup> {
    const connection = new AmqpConnection({
      uri: url,
      registerHandlers: false,
      enableDirectReplyTo: false,
      logger: new ConsoleLogger({ logLevels: ['error'] }),
    });
    await connection.init();
    return new RawGolevelup(connection);
  }

  /** Resolves when the broker has confirmed it. */
  async publish(queue: string, payload: JsonValue): Promise<void> {
    await this.connection.publish('', queue, payload, properties());
  }

  async close(): Promise<void> {
    await this.connection.close();
  }
}
