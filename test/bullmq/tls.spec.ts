import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, it, expect } from 'vitest';
import type { BullMQPluginOptions } from '../../src/taskqueue/drivers/bullmq/bullmq.options.js';
import { CANARY } from '../support/canary.js';
import { freePort } from '../support/mlflow-server.js';
import { neededService } from '../support/needed-service.js';
import { makeCertificates, type RabbitCertificates } from '../support/rabbit-certificates.js';
import { RedisServer } from '../support/redis-server.js';
import { run } from '../support/run-command.js';
import { GuardedBullMQRoom } from './guarded-bullmq-room.js';

const redis = neededService('redis');
const DEADLINE = 90_000;

describe.skipIf(redis.missing)(`TLS to Redis${redis.note}`, { timeout: DEADLINE }, () => {
  let folder: string;
  let files: RabbitCertificates;
  let server: RedisServer;
  /** One that wants a certificate of its clients. */
  let mutual: RedisServer;
  let port: number;
  let mutualPort: number;
  let room: GuardedBullMQRoom;

  async function start(tlsPort: number, clients: 'yes' | 'no'): Promise<RedisServer> {
    const { ca, serverCert, serverKey } = files;
    const certificates = ['--tls-cert-file', serverCert, '--tls-key-file', serverKey, '--tls-ca-cert-file', ca];
    const args = ['--tls-port', String(tlsPort), ...certificates, '--tls-auth-clients', clients];
    return RedisServer.create({ password: CANARY, args });
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-redis-tls-'));
    files = await makeCertificates(folder);
    [port, mutualPort] = [await freePort(), await freePort()];
    [server, mutual] = await Promise.all([start(port, 'no'), start(mutualPort, 'yes')]);
  }, 2 * DEADLINE);
  afterAll(async () => {
    await Promise.all([server.remove(), mutual.remove()]);
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    room = new GuardedBullMQRoom();
  });
  afterEach(() => room.close());

  const at = (scheme: string, tlsPort = port): string => {
    return `${scheme}://:${encodeURIComponent(CANARY)}@localhost:${tlsPort}`;
  };
  const parts = (tls: BullMQPluginOptions['tls']): BullMQPluginOptions => {
    return { host: 'localhost', port, password: CANARY, ...(tls === undefined ? {} : { tls }) };
  };

  it('works with the right authority, by rediss:// and by parts, as a file and as PEM', async () => {
    expect(await room.works({ url: at('rediss'), tls: { ca: files.ca } })).toBe(true);
    expect(await room.works(parts({ ca: await readFile(files.ca, 'utf8') }))).toBe(true);
    expect(await room.works({ url: at('redis'), tls: { enabled: true, ca: files.ca } })).toBe(true);
  });

  it('an untrusted certificate is CONFIG_INVALID; it is taken when the options say so', async () => {
    const missing = await room.refused({ url: at('rediss') }, 'CONFIG_INVALID');
    expect(missing.message).toMatch(/certificate.*tls\.ca/);
    await mkdir(join(folder, 'other'));
    const other = await makeCertificates(join(folder, 'other'));
    const wrong = await room.refused({ url: at('rediss'), tls: { ca: other.ca } }, 'CONFIG_INVALID');
    expect(wrong.message).toMatch(/certificate.*tls\.ca/);
    expect(await room.works({ url: at('rediss'), tls: { rejectUnauthorized: false } })).toBe(true);
  });

  it('a certificate for another host is CONFIG_INVALID', async () => {
    const tls = { ca: files.ca, servername: 'other.example' };
    const error = await room.refused({ url: at('rediss'), tls }, 'CONFIG_INVALID');
    expect(error.message).toContain('other.example');
  });

  it('mutual TLS works with cert and key, the key encrypted too, and without them says what is missing', async () => {
    const { ca, clientCert: cert, clientKey: key } = files;
    const url = at('rediss', mutualPort);
    expect(await room.works({ url, tls: { ca, cert, key } })).toBe(true);
    const locked = join(folder, 'locked.key');
    await run('openssl', ['rsa', '-aes256', '-passout', `pass:${CANARY}`, '-in', key, '-out', locked], {
      timeout: DEADLINE,
    });
    expect(await room.works({ url, tls: { ca, cert, key: locked, passphrase: CANARY } })).toBe(true);
    const wrong = { ca, cert, key: locked, passphrase: `${CANARY}?` };
    expect((await room.refused({ url, tls: wrong }, 'CONFIG_INVALID')).message).toMatch(/tls\.(key|passphrase)/);
    // The connection may be reset before the server's reason is read.
    const none = await room.refused({ url, tls: { ca } }, 'CONFIG_INVALID', 'UNAVAILABLE');
    expect(none.message).toMatch(/tls\.cert and tls\.key/);
  });

  it('TLS on one side only is refused, both ways', async () => {
    for (const plain of [{ url: at('redis') }, { url: at('rediss'), tls: { enabled: false } }]) {
      const { message } = await room.refused({ ...plain, connectTimeout: 2_000 }, 'UNAVAILABLE');
      expect(message).toContain('If it speaks TLS there, use rediss://');
    }
    const secure = { url: at('rediss', server.port), tls: { ca: files.ca }, connectTimeout: 2_000 };
    expect((await room.refused(secure, 'UNAVAILABLE')).message).toContain('if it speaks no TLS there, use redis://');
  });

  it('files that are missing or no PEM are CONFIG_INVALID and are not quoted', async () => {
    const noPem = join(folder, 'no.pem');
    await writeFile(noPem, CANARY);
    const broken = `-----BEGIN CERTIFICATE-----\n${CANARY}\n-----END CERTIFICATE-----\n`;
    for (const key of ['ca', 'cert', 'key'] as const) {
      for (const value of [join(folder, 'missing.pem'), noPem, CANARY, broken]) {
        const error = await room.refused({ url: at('rediss'), tls: { [key]: value } }, 'CONFIG_INVALID');
        expect(error.message).toContain(`tls.${key}`);
      }
    }
  });
});
