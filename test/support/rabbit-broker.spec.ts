import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { neededService } from './needed-service.js';
import { RabbitBroker } from './rabbit-broker.js';
import { TcpProxy } from './tcp-proxy.js';

const rabbit = neededService('rabbitmq');
const DEADLINE = 90_000;

describe.skipIf(rabbit.missing)(`a RabbitMQ node of its own${rabbit.note}`, { timeout: DEADLINE }, () => {
  let broker: RabbitBroker;
  const open: ChannelModel[] = [];

  beforeAll(async () => {
    broker = await RabbitBroker.create({ tls: true });
  }, 2 * DEADLINE);
  afterEach(async () => {
    for (const connection of open.splice(0)) await connection.close().catch(() => undefined);
  });
  afterAll(async () => {
    const { folder } = broker;
    await broker.remove();
    expect(existsSync(folder)).toBe(false);
    await expect(connect(broker.amqpUrl)).rejects.toThrow('ECONNREFUSED');
  });

  async function client(name: string, url = broker.amqpUrl, options: object = {}): Promise<ChannelModel> {
    const connection = await connect(url, { clientProperties: { connection_name: name }, ...options });
    connection.on('error', () => undefined);
    open.push(connection);
    return connection;
  }

  async function queueOf(connection: ChannelModel, queue: string): Promise<ConfirmChannel> {
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    return channel;
  }

  it('keeps a durable message when it is restarted, and when it is killed', async () => {
    const channel = await queueOf(await client('writer'), 'kept');
    channel.sendToQueue('kept', Buffer.from('of the first life'), { persistent: true });
    await channel.waitForConfirms();
    await broker.restart();
    const second = await queueOf(await client('writer'), 'kept');
    second.sendToQueue('kept', Buffer.from('of the second'), { persistent: true });
    await second.waitForConfirms();
    await broker.kill();
    await broker.start();
    const reader = await (await client('reader')).createChannel();
    const texts: string[] = [];
    await vi.waitFor(
      async () => {
        const message = await reader.get('kept', { noAck: true });
        if (message !== false) texts.push(message.content.toString());
        expect(texts).toEqual(['of the first life', 'of the second']);
      },
      { timeout: DEADLINE / 2 },
    );
    await broker.deleteQueue('kept');
    expect(await broker.queues()).toEqual([]);
  });

  it('blocks publishers while its memory alarm is on', async () => {
    const connection = await client('publisher');
    const channel = await queueOf(connection, 'alarmed');
    const blocked = once(connection, 'blocked');
    await broker.setMemoryAlarm(true);
    let confirmed = false;
    channel.sendToQueue('alarmed', Buffer.from('a'), { persistent: true }, () => (confirmed = true));
    expect(await blocked).toEqual(['low on memory']);
    expect((await broker.connections()).map(({ name, state }) => [name, state])).toEqual([['publisher', 'blocked']]);
    expect(confirmed).toBe(false);
    const unblocked = once(connection, 'unblocked');
    await broker.setMemoryAlarm(false);
    await unblocked;
    await channel.waitForConfirms();
    expect(confirmed).toBe(true);
    await vi.waitFor(async () => expect((await broker.queues())[0]?.messages).toBe(1), { timeout: 20_000 });
  });

  it('closes the chosen connections, or all', async () => {
    const [kept, chosen] = [await client('kept'), await client('chosen')];
    const first = once(chosen, 'close');
    await broker.closeConnections(({ name }) => name === 'chosen');
    expect(String((await first)[0])).toContain('CONNECTION_FORCED');
    expect((await broker.connections()).map(({ name }) => name)).toEqual(['kept']);
    const second = once(kept, 'close');
    await broker.closeConnections();
    expect(String((await second)[0])).toContain('CONNECTION_FORCED');
  });

  it('speaks TLS to those who trust its authority', async () => {
    const { url = '', ca = '', clientCert = '', clientKey = '' } = broker.tls ?? {};
    await expect(client('stranger', url)).rejects.toThrow(/certificate/);
    await client('friend', url, { ca: [readFileSync(ca)] });
    const own = { cert: readFileSync(clientCert), key: readFileSync(clientKey) };
    await client('known friend', url, { ca: [readFileSync(ca)], ...own });
    expect((await broker.connections()).map(({ name }) => name).sort()).toEqual(['friend', 'known friend']);
  });

  it('has vhosts apart from each other', async () => {
    await broker.createVhost('one/two');
    await queueOf(await client('here', `${broker.amqpUrl}/one%2Ftwo`), 'apart');
    expect((await broker.queues('one/two')).map(({ name, type }) => [name, type])).toEqual([['apart', 'quorum']]);
    expect((await broker.queues()).map(({ name }) => name)).not.toContain('apart');
    await broker.deleteVhost('one/two');
    await broker.deleteVhost('one/two');
    await expect(broker.queues('one/two')).rejects.toThrow('404');
  });

  it('is missed by its heartbeat behind a proxy that went silent', async () => {
    const proxy = await TcpProxy.start(broker.port);
    try {
      const connection = await client('silenced', `amqp://guest:guest@127.0.0.1:${proxy.port}?heartbeat=1`);
      proxy.freeze();
      await expect(once(connection, 'close')).rejects.toThrow('Heartbeat timeout');
      // The broker knows nothing of it yet.
      expect(proxy.connections).toBe(1);
    } finally {
      proxy.stop();
    }
  });
});
