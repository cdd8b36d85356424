import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AMQP_DEFAULTS, AmqpPublisher, AmqpRpc, type AmqpOptions } from '../../src/amqp/index.js';
import { eventually, rejectsWith } from '../../src/core/contract.js';
import { neededService } from '../support/needed-service.js';
import { AMQP_SOURCE, amqpLink, numbered } from '../support/open-amqp.js';
import { RabbitBroker } from '../support/rabbit-broker.js';

const rabbit = neededService('rabbitmq');
const DEADLINE = 90_000;
const USER = 'böb@:/?#%';
const PASSWORD = 'p@ss:/?#%[] 🐰';
const VHOST = 'ünter/w%eg?#';

describe.skipIf(rabbit.missing)(`links to a broker of their own${rabbit.note}`, { timeout: DEADLINE }, () => {
  let broker: RabbitBroker;

  beforeAll(async () => {
    broker = await RabbitBroker.create({ tls: true });
  }, 2 * DEADLINE);

  afterAll(() => broker?.remove());

  /** What the broker calls the queue that a link with these options declares. */
  async function reached(options: Partial<AmqpOptions>): Promise<string> {
    const { link } = amqpLink(options);
    await link.open();
    const { queue } = await (await link.channel()).assertQueue('', { exclusive: true });
    await link.close();
    return queue;
  }

  it('open with every character in user, password and vhost, as options and as a URL', async () => {
    await broker.management.createUser(USER, PASSWORD);
    await broker.management.createVhost(VHOST, USER);
    const { hostname, port } = new URL(broker.amqpUrl);
    const options = { host: hostname, port: Number(port), username: USER, password: PASSWORD, vhost: VHOST };
    expect(await reached({ ...options, url: undefined })).toMatch(/^amq\.gen/);
    const [user, password, vhost] = [USER, PASSWORD, VHOST].map(encodeURIComponent);
    expect(await reached({ url: `amqp://${user}:${password}@${hostname}:${port}/${vhost}` })).toMatch(/^amq\.gen/);
    const { link } = amqpLink({ ...options, url: undefined, vhost: '/' });
    const error = await rejectsWith(() => link.open(), 'CONFIG_INVALID');
    expect(error.message).toContain('no permission');
  });

  it('open by TLS with files or PEM, and show their names', async () => {
    const { url, ca, ...files } = secured();
    const [cert, key] = await Promise.all([readFile(files.clientCert, 'utf8'), readFile(files.clientKey, 'utf8')]);
    const { link } = amqpLink({ url, tls: { ca, cert, key }, connectionName: 'scorer' }, 'consume');
    await link.open();
    expect((await broker.connections()).map(({ name }) => name)).toContain('scorer consume');
    await link.close();
    expect(await reached({ url, tls: { rejectUnauthorized: false } })).toMatch(/^amq\.gen/);
    const { link: distrustful } = amqpLink({ url });
    expect((await rejectsWith(() => distrustful.open(), 'CONFIG_INVALID')).message).toContain('tls.ca');
    const { link: plain } = amqpLink({ url: url.replace('amqps:', 'amqp:') });
    expect((await rejectsWith(() => plain.open(), 'CONFIG_INVALID')).message).toContain('that port speaks TLS');
  });

  it('wait while the broker has an alarm, and tell of it', async () => {
    const { link, log } = amqpLink({ url: broker.amqpUrl });
    const { link: other } = amqpLink({ url: broker.amqpUrl }, 'consume');
    await Promise.all([link.open(), other.open()]);
    const rpc = new AmqpRpc(other, 10_000, AMQP_SOURCE);
    await rpc.run('createQueue', (channel) => channel.assertQueue('alarm', { durable: true }));
    const publisher = new AmqpPublisher(link, AMQP_DEFAULTS, AMQP_SOURCE);
    await publisher.publish(numbered('alarm', 0));
    await broker.setMemoryAlarm(true);
    // The broker tells those that send.
    const first = publisher.publish(numbered('alarm', 1));
    await eventually(() => link.blocked !== undefined, 'the link is blocked', 10_000);
    expect(link).toMatchObject({ up: true, blocked: 'low on memory' });
    const late = await rejectsWith(() => publisher.publish(numbered('alarm', 2), { timeout: 200 }), 'UNAVAILABLE');
    expect(late.message).toContain('was not sent: the broker takes no messages for now');
    const impatient = new AmqpPublisher(link, { ...AMQP_DEFAULTS, whileDisconnected: 'fail' }, AMQP_SOURCE);
    await rejectsWith(() => impatient.publish(numbered('alarm', 3)), 'UNAVAILABLE');
    const waiting = publisher.publish(numbered('alarm', 4));
    await broker.setMemoryAlarm(false);
    await Promise.all([first, waiting]);
    expect(link.blocked).toBeUndefined();
    const count = await rpc.run('count', async (channel) => (await channel.checkQueue('alarm')).messageCount);
    expect(count).toBe(3);
    expect(log.lines.map((line) => line.split(' ')[0]).join()).toBe('warn,log');
    await Promise.all([publisher.close(), impatient.close(), rpc.close()]);
    await Promise.all([link.close(), other.close()]);
  });

  it('come back when an operator closes them, and when the broker starts again', async () => {
    const { link, log } = amqpLink({ url: broker.amqpUrl });
    await link.open();
    await broker.closeConnections();
    await eventually(() => log.lines.length === 2, 'it is back', 10_000);
    expect(log.lines[0]).toContain('CONNECTION_FORCED');
    await broker.kill();
    await eventually(() => !link.up, 'it is down', 10_000);
    await broker.start();
    await link.whenUp(30_000);
    expect(log.lines).toHaveLength(4);
    await link.close();
  });

  function secured() {
    const { tls } = broker;
    if (tls === undefined) throw new Error('the broker was started with TLS');
    return tls;
  }
});
