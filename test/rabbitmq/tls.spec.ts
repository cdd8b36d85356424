import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RabbitMQPluginOptions } from '../../src/datastream/drivers/rabbitmq/rabbitmq.options.js';
import { CANARY } from '../support/canary.js';
import { neededService } from '../support/needed-service.js';
import { RabbitBroker, type RabbitTls } from '../support/rabbit-broker.js';
import { makeCertificates } from '../support/rabbit-certificates.js';
import { run } from '../support/run-command.js';
import { PluginRoom } from './plugin-room.js';

const rabbit = neededService('rabbitmq');
const DEADLINE = 90_000;

describe.skipIf(rabbit.missing)(`TLS to a broker${rabbit.note}`, { timeout: DEADLINE }, () => {
  let broker: RabbitBroker;
  let tls: RabbitTls;
  let room: PluginRoom;

  beforeAll(async () => {
    // Mutual TLS: a client has to show a certificate.
    broker = await RabbitBroker.create({ tls: true, config: ['ssl_options.fail_if_no_peer_cert = true'] });
    tls = broker.tls as RabbitTls;
    await broker.management.createUser('hub', CANARY);
    await broker.management.setPermissions('/', 'hub', { configure: '.*', write: '.*', read: '.*' });
  }, 2 * DEADLINE);
  afterAll(() => broker.remove());
  beforeEach(() => {
    room = new PluginRoom();
  });
  afterEach(() => room.close());

  const at = (scheme: string, port: number): string => {
    return `${scheme}://hub:${encodeURIComponent(CANARY)}@localhost:${port}`;
  };
  const text = (file: string): Promise<string> => readFile(file, 'utf8');

  /** Whether messages go through, on two connections that are encrypted and have our certificate. */
  async function works(options: RabbitMQPluginOptions): Promise<boolean> {
    const plugin = await room.open(options);
    await plugin.createQueue('secure');
    await plugin.sendData('secure', { over: 'TLS' });
    const delivery = await plugin.pullData('secure', { wait: 5_000 });
    expect(delivery?.payload).toEqual({ over: 'TLS' });
    await delivery?.ack();
    const connections = await broker.ctl('list_connections', '--silent', 'ssl', 'peer_cert_subject');
    return connections.trim() === 'true\tCN=hub\ntrue\tCN=hub';
  }

  it('mutual TLS works with ca, cert and key as files, by url and by parts', async () => {
    const files = { ca: tls.ca, cert: tls.clientCert, key: tls.clientKey };
    expect(await works({ url: at('amqps', tls.port), tls: files })).toBe(true);
    await room.close();
    expect(await works({ host: 'localhost', port: tls.port, username: 'hub', password: CANARY, tls: files })).toBe(
      true,
    );
  });

  it('mutual TLS works with ca, cert and key as PEM text, and an encrypted key with its passphrase', async () => {
    const [ca, cert, key] = await Promise.all([tls.ca, tls.clientCert, tls.clientKey].map(text));
    expect(await works({ url: at('amqps', tls.port), tls: { ca, cert, key } as RabbitMQPluginOptions['tls'] })).toBe(
      true,
    );
    await room.close();
    const locked = join(broker.folder, 'locked.key');
    const aes = ['rsa', '-aes256', '-passout', `pass:${CANARY}`, '-in', tls.clientKey, '-out', locked];
    await run('openssl', aes, { timeout: DEADLINE });
    const secret = { ca: tls.ca, cert: tls.clientCert, key: locked };
    expect(await works({ url: at('amqps', tls.port), tls: { ...secret, passphrase: CANARY } })).toBe(true);
    const wrong = { ...secret, passphrase: `${CANARY}?` };
    const error = await room.refused({ url: at('amqps', tls.port), tls: wrong }, 'CONFIG_INVALID');
    expect(error.message).toMatch(/tls\.(key|passphrase)/);
  });

  it('an untrusted certificate is CONFIG_INVALID; it is taken when the options say so', async () => {
    const own = { cert: tls.clientCert, key: tls.clientKey };
    const error = await room.refused({ url: at('amqps', tls.port), tls: own }, 'CONFIG_INVALID');
    expect(error.message).toMatch(/self.signed certificate.*tls\.ca/);
    const other = await room.refused(
      { url: at('amqps', tls.port), tls: { ...own, ca: await foreignCa() } },
      'CONFIG_INVALID',
    );
    expect(other.message).toContain('tls.ca');
    expect(await works({ url: at('amqps', tls.port), tls: { ...own, rejectUnauthorized: false } })).toBe(true);
  });

  it('a certificate for another host is CONFIG_INVALID', async () => {
    const files = { ca: tls.ca, cert: tls.clientCert, key: tls.clientKey, servername: 'other.example' };
    const error = await room.refused({ url: at('amqps', tls.port), tls: files }, 'CONFIG_INVALID');
    expect(error.message).toContain('other.example');
  });

  it('a missing or foreign client certificate is refused by the broker, in words', async () => {
    const missing = await room.refused({ url: at('amqps', tls.port), tls: { ca: tls.ca } }, 'CONFIG_INVALID');
    expect(missing.message).toMatch(/tls\.cert and tls\.key/);
    const folder = join(broker.folder, 'foreign');
    const { clientCert, clientKey } = await foreignCertificates(folder);
    const foreign = { ca: tls.ca, cert: clientCert, key: clientKey };
    const refused = await room.refused({ url: at('amqps', tls.port), tls: foreign }, 'CONFIG_INVALID');
    expect(refused.message).toMatch(/tls\.cert and tls\.key/);
    const mixed = { ca: tls.ca, cert: tls.clientCert, key: clientKey };
    const unfit = await room.refused({ url: at('amqps', tls.port), tls: mixed }, 'CONFIG_INVALID');
    expect(unfit.message).toMatch(/tls\.cert, tls\.key.*mismatch/);
  });

  it('TLS on one side only is CONFIG_INVALID, both ways', async () => {
    const plain = await room.refused({ url: at('amqp', tls.port) }, 'CONFIG_INVALID');
    expect(plain.message).toContain('amqps://');
    const secure = await room.refused({ url: at('amqps', broker.port), tls: { ca: tls.ca } }, 'CONFIG_INVALID');
    expect(secure.message).toContain('does not speak TLS there');
    const mixed = await room.refused({ url: at('amqp', broker.port), tls: { ca: tls.ca } }, 'CONFIG_INVALID');
    expect(mixed.message).toContain('plain text');
  });

  it('files that are missing or no PEM are CONFIG_INVALID and are not quoted', async () => {
    const noPem = join(broker.folder, 'no.pem');
    await writeFile(noPem, CANARY);
    for (const key of ['ca', 'cert', 'key'] as const) {
      for (const value of [join(broker.folder, 'missing.pem'), noPem, CANARY]) {
        const error = await room.refused({ url: at('amqps', tls.port), tls: { [key]: value } }, 'CONFIG_INVALID');
        expect(error.message).toContain(`tls.${key}`);
      }
      const broken = `-----BEGIN CERTIFICATE-----\n${CANARY}\n-----END CERTIFICATE-----\n`;
      await room.refused({ url: at('amqps', tls.port), tls: { [key]: broken } }, 'CONFIG_INVALID');
    }
  });

  async function foreignCertificates(folder: string): ReturnType<typeof makeCertificates> {
    await run('mkdir', ['-p', folder], { timeout: DEADLINE });
    return makeCertificates(folder);
  }
  async function foreignCa(): Promise<string> {
    return (await foreignCertificates(join(broker.folder, 'other-ca'))).ca;
  }
});
