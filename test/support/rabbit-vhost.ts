import { randomUUID } from 'node:crypto';
import { neededService } from './needed-service.js';
import type { RabbitManagement, RabbitQueue } from './rabbit-management.js';
import { rabbitmq } from './rabbitmq.js';

/** A vhost of a suite's own on the tests' broker, with a user of its own of the same name. */
export class RabbitVhost {
  private constructor(
    /** Of the vhost and of the user, e.g. `publisher-1b4e28ba`. */
    readonly name: string,
    /** `amqp://…` */
    readonly url: string,
    /** The API, for what is not below. */
    readonly management: RabbitManagement,
  ) {}

  /**
   * Creates it; takes some ms.
   * @param label the beginning of its name, e.g. that of the suite
   */
  static async open(label: string): Promise<RabbitVhost> {
    const { address } = neededService('rabbitmq');
    const management = rabbitmq.managementOf(address);
    const problem = await management.probe();
    if (problem !== undefined) {
      throw new Error(
        `The suites need RabbitMQ's management API beside ${new URL(address).host}: enable rabbitmq_management, ` +
          `or name it by HUB_TEST_RABBITMQ_MANAGEMENT. ${problem}`,
      );
    }
    const name = `${label}-${randomUUID().slice(0, 8)}`;
    await management.createUser(name, name);
    await management.createVhost(name, name);
    const { protocol, host } = new URL(address);
    return new RabbitVhost(name, `${protocol}//${name}:${name}@${host}/${name}`, management);
  }

  /** Closes its connections from the server's side, as an operator does (CONNECTION_FORCED). */
  async closeConnections(): Promise<void> {
    await this.management.closeConnectionsOf(this.name);
  }

  /** Its queues. */
  async queues(): Promise<RabbitQueue[]> {
    return this.management.queues(this.name);
  }

  /** Deletes a queue with its messages; one that is missing is no error. */
  async deleteQueue(queue: string): Promise<void> {
    await this.management.deleteQueue(queue, this.name);
  }

  /** Deletes it with its user and all that is in it; connections are closed. */
  async remove(): Promise<void> {
    await this.management.deleteVhost(this.name);
    await this.management.deleteUser(this.name);
  }
}
