import { once } from 'node:events';
import { connect } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { neededService } from './needed-service.js';
import { RabbitVhost } from './rabbit-vhost.js';

const rabbit = neededService('rabbitmq');

describe.skipIf(rabbit.missing)(`a vhost of a suite's own${rabbit.note}`, () => {
  it('is apart from others, and goes with all that is in it', async () => {
    const [first, second] = await Promise.all([RabbitVhost.open('vhost-spec'), RabbitVhost.open('vhost-spec')]);
    try {
      const [one, two] = await Promise.all([connect(first.url), connect(second.url)]);
      const channel = await one.createChannel();
      await channel.assertQueue('here');
      await (await two.createChannel()).assertQueue('there');
      expect((await first.queues()).map(({ name }) => name)).toEqual(['here']);
      const closed = once(one, 'close');
      await first.closeConnections();
      expect(String((await closed)[0])).toContain('CONNECTION_FORCED');
      await second.deleteQueue('there');
      expect(await second.queues()).toEqual([]);
      await two.close();
    } finally {
      await Promise.all([first.remove(), second.remove()]);
    }
    await expect(connect(first.url)).rejects.toThrow(/ACCESS.REFUSED/);
  });
});
