import { randomUUID } from 'node:crypto';
import { AMQP_DEFAULTS, AmqpLink, type AmqpMessage, type AmqpOptions } from '../../src/amqp/index.js';
import { StoreLogger } from '../../src/embedded/store-logger.js';
import { neededService } from './needed-service.js';

/** The lines of a room's log, instead of the application's. */
export class RecordedLog extends StoreLogger {
  /** Level and text of each line that is no debug line. */
  readonly lines: string[] = [];
  /** Texts of the debug lines. */
  readonly debugLines: string[] = [];

  constructor() {
    super('recorded');
  }

  override debug(message: string): void {
    this.debugLines.push(message);
  }

  override log(message: string): void {
    this.lines.push(`log ${message}`);
  }

  override warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }

  override error(message: string): void {
    this.lines.push(`error ${message}`);
  }
}

/** Source of the errors of {@link amqpLink}. */
export const AMQP_SOURCE = { plugin: 'test', driver: 'amqp' };

/** Options for the tests' broker: what differs from the defaults, which are quicker to reconnect here. */
export function amqpOptions(options: Partial<AmqpOptions> = {}): AmqpOptions {
  const reconnect = { delay: 20, factor: 2, maxDelay: 200, jitter: 0.5 };
  return { ...AMQP_DEFAULTS, url: neededService('rabbitmq').address, reconnect, ...options };
}

/** A link, not open, and its log. */
export function amqpLink(options: Partial<AmqpOptions> = {}, role: 'publish' | 'consume' = 'publish') {
  const log = new RecordedLog();
  return { link: new AmqpLink(amqpOptions(options), role, log, AMQP_SOURCE), log };
}

/** The port of the tests' broker. */
export function brokerPort(): number {
  return Number(new URL(neededService('rabbitmq').address).port || 5672);
}

/** The tests' broker behind another port, e.g. that of a proxy. */
export function brokerAt(port: number): string {
  const url = new URL(neededService('rabbitmq').address);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return url.toString();
}

/** A persistent message for a queue, with a number in it. */
export function numbered(queue: string, number: number): AmqpMessage {
  const properties = { messageId: randomUUID(), persistent: true };
  return { exchange: '', routingKey: queue, content: Buffer.from(String(number)), properties };
}
