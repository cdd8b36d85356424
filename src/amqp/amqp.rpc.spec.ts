import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AMQP_SOURCE, amqpLink, brokerAt, brokerPort } from '../../test/support/open-amqp.js';
import { neededService } from '../../test/support/needed-service.js';
import { TcpProxy } from '../../test/support/tcp-proxy.js';
import { eventually, rejectsWith } from '../core/contract.js';
import { AmqpLink } from './amqp.link.js';
import { AmqpRpc } from './amqp.rpc.js';

const rabbit = neededService('rabbitmq');

describe.skipIf(rabbit.missing)(`declarations over AMQP${rabbit.note}`, () => {
  let proxy: TcpProxy;
  let link: AmqpLink;
  let rpc: AmqpRpc;
  const queue = `amqp-rpc-${randomUUID().slice(0, 8)}`;

  beforeEach(async () => {
    proxy = await TcpProxy.start(brokerPort());
    ({ link } = amqpLink({ url: brokerAt(proxy.port) }));
    await link.open();
    rpc = new AmqpRpc(link, 5_000, AMQP_SOURCE);
  });

  afterEach(async () => {
    proxy.thaw();
    const { link: cleaner } = amqpLink();
    await cleaner.open();
    await (await cleaner.channel()).deleteQueue(queue);
    await Promise.all([rpc.close(), cleaner.close()]);
    await link.close();
    proxy.stop();
  });

  it('run one after the other and give back their answers', async () => {
    const order: string[] = [];
    const slow = rpc.run('first', async (channel) => {
      await channel.assertQueue(queue, { autoDelete: true });
      await new Promise((resolve) => setTimeout(resolve, 50));
      order.push('first');
    });
    const count = rpc.run('second', async (channel) => {
      order.push('second');
      return (await channel.checkQueue(queue)).messageCount;
    });
    expect(await count).toBe(0);
    await slow;
    expect(order).toEqual(['first', 'second']);
  });

  it('have errors by what the broker says, and those after them are not hit', async () => {
    const [missing, wrong, forbidden, fine] = await Promise.all([
      rejectsWith(() => rpc.run('checkQueue', (channel) => channel.checkQueue(queue)), 'NOT_FOUND'),
      rejectsWith(
        () =>
          rpc.run('createQueue', async (channel) => {
            await channel.assertQueue(queue, { durable: true });
            await channel.assertQueue(queue, { durable: true, maxLength: 5 });
          }),
        'CONFLICT',
      ),
      rejectsWith(() => rpc.run('createQueue', (channel) => channel.assertQueue('amq.mine')), 'UNAUTHORIZED'),
      rpc.run('checkQueue', (channel) => channel.checkQueue(queue)),
    ]);
    expect(missing.message).toContain(`[test/amqp] checkQueue: `);
    expect(missing.message).toContain(`NOT_FOUND - no queue '${queue}'`);
    expect(missing.details).toEqual({ replyCode: 404 });
    expect(wrong.message).toMatch(/PRECONDITION_FAILED.*x-max-length.*received.*'5'.*current is none/);
    expect(forbidden.message).toContain('ACCESS_REFUSED');
    expect(fine.queue).toBe(queue);
  });

  it('tell of a queue that another connection has for itself', async () => {
    const { link: other } = amqpLink();
    await other.open();
    await (await other.channel()).assertQueue(queue, { exclusive: true });
    const error = await rejectsWith(() => rpc.run('checkQueue', (channel) => channel.checkQueue(queue)), 'CONFLICT');
    expect(error.message).toContain('RESOURCE_LOCKED');
    await other.close();
  });

  it('end at the deadline, those that wait too and without being run', async () => {
    rpc = new AmqpRpc(link, 500, AMQP_SOURCE);
    await rpc.run('createQueue', (channel) => channel.assertQueue(queue, { durable: true }));
    proxy.freeze();
    let run = false;
    const late = [
      rejectsWith(() => rpc.run('hangs', (channel) => channel.checkQueue(queue)), 'UNAVAILABLE'),
      rejectsWith(
        () =>
          rpc.run('waits', async () => {
            run = true;
          }),
        'UNAVAILABLE',
      ),
    ];
    expect((await Promise.all(late))[0]?.message).toContain('within 500 ms');
    expect(run).toBe(false);
    proxy.thaw();
    expect((await rpc.run('checkQueue', (channel) => channel.checkQueue(queue))).queue).toBe(queue);
  });

  it('fail while there is no connection, and work again afterwards', async () => {
    await rpc.run('createQueue', (channel) => channel.assertQueue(queue, { durable: true }));
    proxy.refuse();
    proxy.cut();
    await rejectsWith(() => rpc.run('checkQueue', (channel) => channel.checkQueue(queue)), 'UNAVAILABLE');
    await eventually(() => !link.up, 'the link is down');
    await rejectsWith(() => rpc.run('checkQueue', (channel) => channel.checkQueue(queue)), 'UNAVAILABLE');
    await proxy.accept();
    await link.whenUp(10_000);
    expect((await rpc.run('checkQueue', (channel) => channel.checkQueue(queue))).queue).toBe(queue);
  });

  it('end with CLOSED, those that run and those that wait', async () => {
    proxy.freeze();
    const ended = [1, 2, 3].map((number) =>
      rejectsWith(() => rpc.run(`number ${number}`, (channel) => channel.checkQueue(queue)), 'CLOSED'),
    );
    await rpc.close();
    await Promise.all(ended);
    await rejectsWith(() => rpc.run('late', (channel) => channel.checkQueue(queue)), 'CLOSED');
  });
});
