import { randomUUID } from 'node:crypto';
import type { ConfirmChannel } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AMQP_SOURCE, amqpLink, brokerAt, brokerPort, numbered } from '../../test/support/open-amqp.js';
import { neededService } from '../../test/support/needed-service.js';
import { TcpProxy } from '../../test/support/tcp-proxy.js';
import { eventually, rejectsWith } from '../core/contract.js';
import type { AmqpLink } from './amqp.link.js';
import { AMQP_DEFAULTS } from './amqp.options.js';
import { AmqpPublisher } from './amqp.publisher.js';

const rabbit = neededService('rabbitmq');

describe.skipIf(rabbit.missing)(`a publisher${rabbit.note}`, () => {
  let proxy: TcpProxy;
  let link: AmqpLink;
  let direct: AmqpLink;
  let channel: ConfirmChannel;
  let publisher: AmqpPublisher;
  let queue: string;

  beforeEach(async () => {
    proxy = await TcpProxy.start(brokerPort());
    ({ link } = amqpLink({ url: brokerAt(proxy.port) }));
    ({ link: direct } = amqpLink({}, 'consume'));
    await Promise.all([link.open(), direct.open()]);
    channel = await direct.channel();
    queue = `amqp-publisher-${randomUUID().slice(0, 8)}`;
    await channel.assertQueue(queue, { exclusive: true });
    publisher = new AmqpPublisher(link, AMQP_DEFAULTS, AMQP_SOURCE);
  });

  afterEach(async () => {
    await publisher.close();
    // Its queues are exclusive and go with it.
    await Promise.all([link.close(), direct.close()]);
    proxy.stop();
  });

  /** The contents of the queue, taken out. */
  async function contents(): Promise<string[]> {
    const { messageCount } = await channel.checkQueue(queue);
    const all: string[] = [];
    const { consumerTag } = await channel.consume(queue, (message) => all.push(String(message?.content)), {
      noAck: true,
    });
    await eventually(() => all.length >= messageCount, 'all messages are here', 15_000);
    await channel.cancel(consumerTag);
    return all;
  }

  it('keeps the order of 20 000 messages that are sent at once', async () => {
    const numbers = Array.from({ length: 20_000 }, (_, number) => number);
    const settled: number[] = [];
    await Promise.all(
      numbers.map((number) => publisher.publish(numbered(queue, number)).then(() => settled.push(number))),
    );
    expect(publisher.pending).toBe(0);
    expect(settled).toEqual(numbers);
    expect(await contents()).toEqual(numbers.map(String));
  });

  it('sends what is larger than the buffers of the socket', async () => {
    const content = Buffer.alloc(300_000, 'x');
    const sends = Array.from({ length: 100 }, (_, number) =>
      publisher.publish({ ...numbered(queue, number), content: Buffer.concat([content, Buffer.from(String(number))]) }),
    );
    await Promise.all(sends);
    expect((await contents()).map((text) => text.slice(content.length))).toEqual(
      sends.map((_, number) => String(number)),
    );
  });

  it('says which messages no queue got, among others', async () => {
    const missing = `${queue}-missing`;
    const results = await Promise.all(
      Array.from({ length: 200 }, async (_, number) => {
        if (number % 3 > 0) return publisher.publish(numbered(queue, number));
        const error = await rejectsWith(() => publisher.publish(numbered(missing, number)), 'NOT_FOUND');
        expect(error.message).toContain(`there is no queue "${missing}"`);
        expect(error.details).toMatchObject({ routingKey: missing, exchange: '' });
        return undefined;
      }),
    );
    expect(results).toHaveLength(200);
    expect(await contents()).toHaveLength(133);
  });

  it('tells messages of one id to a queue and to none apart', async () => {
    const there = numbered(queue, 1);
    const nowhere = { ...there, routingKey: `${queue}-missing` };
    const [first, second, third] = await Promise.allSettled(
      [there, nowhere, there].map((each) => publisher.publish(each)),
    );
    expect([first?.status, second?.status, third?.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('says which messages a full queue refused', async () => {
    const small = `${queue}-small`;
    await channel.assertQueue(small, { exclusive: true, maxLength: 5, arguments: { 'x-overflow': 'reject-publish' } });
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, number) => publisher.publish(numbered(small, number))),
    );
    expect(results.map(({ status }) => status).join()).toBe(
      [...Array<string>(5).fill('fulfilled'), ...Array<string>(3).fill('rejected')].join(),
    );
    const error = await rejectsWith(() => publisher.publish(numbered(small, 8)), 'CONFLICT');
    expect(error.message).toContain('queue full?');
    await publisher.publish(numbered(queue, 9));
  });

  it('rejects the message for which the broker closes the channel, and only that', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, number) =>
        publisher.publish(
          number === 50 ? { ...numbered(queue, 50), exchange: 'no-such-exchange' } : numbered(queue, number),
        ),
      ),
    );
    expect(results.flatMap(({ status }, number) => (status === 'rejected' ? [number] : []))).toEqual([50]);
    const { reason } = results[50] as PromiseRejectedResult;
    expect(reason).toMatchObject({ code: 'NOT_FOUND', details: { exchange: 'no-such-exchange', replyCode: 404 } });
    expect(new Set(await contents()).size).toBe(99);
    // Back to many at a time.
    await Promise.all(Array.from({ length: 3_000 }, (_, number) => publisher.publish(numbered(queue, number))));
  });

  it('rejects what AMQP cannot carry, and goes on', async () => {
    const wrong = { ...numbered(queue, 1), properties: { messageId: 'x'.repeat(300) } };
    const error = await rejectsWith(() => publisher.publish(wrong), 'PAYLOAD_INVALID');
    expect(error.details['outcome']).toBe('unsent');
    await publisher.publish(numbered(queue, 2));
    expect(await contents()).toEqual(['2']);
  });

  it('rejects the message for which the broker closes the connection, and only that', async () => {
    const huge = { messageId: randomUUID(), headers: { huge: 'x'.repeat(200_000) } };
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, number) =>
        publisher.publish(number === 7 ? { ...numbered(queue, 7), properties: huge } : numbered(queue, number)),
      ),
    );
    expect(results.flatMap(({ status }, number) => (status === 'rejected' ? [number] : []))).toEqual([7]);
    expect(new Set(await contents()).size).toBe(19);
  });

  it('gives up at the deadline of each message, whichever comes first', async () => {
    await publisher.publish(numbered(queue, 0));
    proxy.freeze('answers');
    const order: string[] = [];
    const publish = async (timeout: number) => {
      const error = await rejectsWith(() => publisher.publish(numbered(queue, timeout), { timeout }), 'UNAVAILABLE');
      order.push(`${timeout} ${String(error.details['outcome'])}`);
      return error;
    };
    const [long] = await Promise.all([publish(900), publish(100), publish(500)]);
    expect(order).toEqual(['100 unknown', '500 unknown', '900 unknown']);
    expect(long?.message).toContain('was sent and may have arrived: RabbitMQ did not confirm it in time');
    expect(publisher.pending).toBe(0);
    proxy.thaw();
    await publisher.publish(numbered(queue, 1));
  });

  it('stops waiting when the caller does, and does not send what waited', async () => {
    proxy.refuse();
    proxy.cut();
    await eventually(() => !link.up, 'the link is down');
    const controller = new AbortController();
    const waiting = [1, 2].map((number) =>
      rejectsWith(() => publisher.publish(numbered(queue, number), { signal: controller.signal }), 'ABORTED'),
    );
    const kept = publisher.publish(numbered(queue, 3));
    controller.abort();
    for (const error of await Promise.all(waiting)) expect(error.details['outcome']).toBe('unsent');
    await rejectsWith(() => publisher.publish(numbered(queue, 4), { signal: controller.signal }), 'ABORTED');
    await proxy.accept();
    await kept;
    expect(await contents()).toEqual(['3']);
  });

  it('waits for the connection until the deadline, and says that it was not sent', async () => {
    proxy.refuse();
    proxy.cut();
    await eventually(() => !link.up, 'the link is down');
    const error = await rejectsWith(() => publisher.publish(numbered(queue, 1), { timeout: 200 }), 'UNAVAILABLE');
    expect(error.details).toMatchObject({ outcome: 'unsent', routingKey: queue });
    expect(error.message).toMatch(/was not sent: there is no connection to RabbitMQ/);
  });

  it('fails at once without a connection when it is told to', async () => {
    const impatient = new AmqpPublisher(link, { ...AMQP_DEFAULTS, whileDisconnected: 'fail' }, AMQP_SOURCE);
    await impatient.publish(numbered(queue, 1));
    proxy.freeze('answers');
    const under = rejectsWith(() => impatient.publish(numbered(queue, 2)), 'UNAVAILABLE');
    await new Promise((resolve) => setTimeout(resolve, 50));
    proxy.refuse();
    proxy.cut();
    expect((await under).details['outcome']).toBe('unknown');
    const after = await rejectsWith(() => impatient.publish(numbered(queue, 3)), 'UNAVAILABLE');
    expect(after.details['outcome']).toBe('unsent');
    await impatient.close();
  });

  it('flushes, and says when it could not', async () => {
    await publisher.flush(1_000);
    const sends = Promise.all(Array.from({ length: 500 }, (_, number) => publisher.publish(numbered(queue, number))));
    await publisher.flush(10_000);
    expect(publisher.pending).toBe(0);
    await sends;
    proxy.freeze('answers');
    const stuck = rejectsWith(() => publisher.publish(numbered(queue, 1)), 'CLOSED');
    expect((await rejectsWith(() => publisher.flush(100), 'UNAVAILABLE')).details).toEqual({ pending: 1 });
    await publisher.close();
    await stuck;
    await rejectsWith(() => publisher.publish(numbered(queue, 2)), 'CLOSED');
  });

  it('rejects what is pending when it is closed, or the link', async () => {
    await publisher.publish(numbered(queue, 0));
    proxy.freeze();
    const pending = [1, 2, 3].map((number) => rejectsWith(() => publisher.publish(numbered(queue, number)), 'CLOSED'));
    await link.close();
    await Promise.all(pending);
    await publisher.close();
  });
});
