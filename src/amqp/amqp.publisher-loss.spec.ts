import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AMQP_SOURCE, amqpLink, brokerAt, brokerPort, numbered } from '../../test/support/open-amqp.js';
import { neededService } from '../../test/support/needed-service.js';
import { TcpProxy } from '../../test/support/tcp-proxy.js';
import { eventually } from '../core/contract.js';
import type { AmqpLink } from './amqp.link.js';
import { AMQP_DEFAULTS } from './amqp.options.js';
import { AmqpPublisher } from './amqp.publisher.js';

const rabbit = neededService('rabbitmq');
const MESSAGES = 20_000;
const CUTS = 12;

describe.skipIf(rabbit.missing)(`a publisher whose connection is cut again and again${rabbit.note}`, () => {
  let proxy: TcpProxy;
  let link: AmqpLink;
  let direct: AmqpLink;

  beforeEach(async () => {
    proxy = await TcpProxy.start(brokerPort());
    ({ link } = amqpLink({ url: brokerAt(proxy.port) }));
    ({ link: direct } = amqpLink({}, 'consume'));
    await Promise.all([link.open(), direct.open()]);
  });

  afterEach(async () => {
    await Promise.all([link.close(), direct.close()]);
    proxy.stop();
  });

  it('loses nothing, and repeats only under the same id', { timeout: 120_000 }, async () => {
    const channel = await direct.channel();
    const queue = `amqp-loss-${randomUUID().slice(0, 8)}`;
    await channel.assertQueue(queue, { exclusive: true });
    const publisher = new AmqpPublisher(link, { ...AMQP_DEFAULTS, publishTimeout: 100_000 }, AMQP_SOURCE);
    const messages = Array.from({ length: MESSAGES }, (_, number) => numbered(queue, number));
    let confirmed = 0;
    const sends = Promise.all(messages.map((message) => publisher.publish(message).then(() => (confirmed += 1))));
    for (let cut = 1; cut <= CUTS; cut += 1) {
      const far = (): boolean => confirmed >= (cut * MESSAGES) / (CUTS + 2) && proxy.connections > 0;
      await eventually(far, `before cut ${cut}`, 60_000);
      if (cut % 3 === 0) {
        // Sent and taken over, but nobody hears of it.
        proxy.freeze('answers');
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      proxy.cut();
      proxy.thaw();
    }
    await sends;
    expect(confirmed).toBe(MESSAGES);
    expect(proxy.accepted).toBeGreaterThanOrEqual(CUTS);

    const found: { id: unknown; number: number }[] = [];
    const { messageCount } = await channel.checkQueue(queue);
    await channel.consume(
      queue,
      (message) => found.push({ id: message?.properties.messageId, number: Number(message?.content) }),
      { noAck: true },
    );
    await eventually(() => found.length >= messageCount, 'all messages are here', 60_000);
    const ids = messages.map(({ properties }) => properties.messageId);
    expect(found.every(({ id, number }) => ids[number] === id)).toBe(true);
    const numbers = new Set(found.map(({ number }) => number));
    expect(numbers.size).toBe(MESSAGES);
    // Some confirms were lost for sure; their messages came twice.
    expect(found.length).toBeGreaterThan(MESSAGES);
    // First deliveries are in order: what is sent again goes before what is new.
    expect([...numbers]).toEqual(messages.map((_, number) => number));
    await publisher.close();
  });
});
