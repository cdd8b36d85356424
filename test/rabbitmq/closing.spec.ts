import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import { neededService } from '../support/needed-service.js';
import { amqpLink, brokerPort } from '../support/open-amqp.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const rabbit = neededService('rabbitmq');

describe.skipIf(rabbit.missing)(`a link that is closed while the broker refuses it${rabbit.note}`, () => {
  // Between two attempts, in the middle of one, and at the moment of the loss.
  it.each([0, 5, 20, 35, 50, 75, 100])('makes no attempt afterwards: %i ms after its user was deleted', async (ms) => {
    const vhost = await RabbitVhost.open('closing');
    const proxy = await TcpProxy.start(brokerPort());
    const { link } = amqpLink({ url: vhost.url.replace(/:\d+\//, `:${proxy.port}/`) });
    await link.open();
    await vhost.management.deleteUser(vhost.name);
    await delay(ms);
    await link.close();
    await eventually(() => proxy.connections === 0, 'its sockets are gone');
    const before = proxy.accepted;
    await delay(400);
    expect(proxy.accepted).toBe(before);
    proxy.stop();
    await vhost.remove();
  });
});
