import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HubError } from '../../src/core/errors.js';
import type { CeleryPluginOptions } from '../../src/taskqueue/drivers/celery/celery.options.js';
import { CeleryPlugin } from '../../src/taskqueue/drivers/celery/celery.plugin.js';
import { freePort } from '../support/mlflow-server.js';
import { neededService } from '../support/needed-service.js';
import { makeCertificates, type RabbitCertificates } from '../support/rabbit-certificates.js';
import { RedisSentinel } from '../support/redis-sentinel.js';
import { RedisServer } from '../support/redis-server.js';

const redis = neededService('redis');
const TIMEOUT = 60_000;
const CANARY = 'canary-server';
const SENTINEL_CANARY = 'canary-sentinel';

/** Whether a task gets into the list of its queue on the server at `url`, and is known by what is noted there. */
async function works(options: CeleryPluginOptions, url: string): Promise<boolean> {
  const plugin = new CeleryPlugin({ defaultQueue: 'secured', ...options });
  const direct = new Redis(url);
  try {
    await plugin.initialize();
    const taskId = await plugin.submitTask('anything');
    const [stored = ''] = await direct.lrange('secured', 0, 0);
    return stored.includes(taskId) && (await plugin.getStatus(taskId)).name === 'anything';
  } finally {
    direct.disconnect();
    await plugin.shutdown();
  }
}

/** What `initialize()` rejects with. */
async function refused(options: CeleryPluginOptions): Promise<HubError> {
  const plugin = new CeleryPlugin(options);
  const error = await plugin.initialize().catch((reason: unknown) => reason);
  await plugin.shutdown();
  if (!HubError.is(error)) throw new Error(`expected a HubError, got ${String(error)}`);
  expect(JSON.stringify([error.message, error.toJSON()])).not.toContain('canary');
  return error;
}

describe.skipIf(redis.missing)(`Celery over Redis with TLS${redis.note}`, { timeout: TIMEOUT }, () => {
  let folder: string;
  let files: RabbitCertificates;
  let server: RedisServer;
  let url: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-celery-tls-'));
    files = await makeCertificates(folder);
    const port = await freePort();
    const certificates = ['--tls-cert-file', files.serverCert, '--tls-key-file', files.serverKey];
    const args = [
      '--tls-port',
      String(port),
      ...certificates,
      '--tls-ca-cert-file',
      files.ca,
      '--tls-auth-clients',
      'no',
    ];
    server = await RedisServer.create({ password: CANARY, args });
    url = `rediss://:${CANARY}@localhost:${port}/0`;
  }, 2 * TIMEOUT);
  afterAll(async () => {
    await server.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it('works with the authority, and as Celery says it in the URL', async () => {
    const tls = { ca: files.ca };
    const trusting = { brokerUrl: url, backendUrl: url, redisBroker: { tls }, redisBackend: { tls } };
    expect(await works(trusting, server.url)).toBe(true);
    const unchecked = `${url}?ssl_cert_reqs=none`;
    expect(await works({ brokerUrl: unchecked, backendUrl: unchecked }, server.url)).toBe(true);
  });

  it('a certificate that is not trusted is CONFIG_INVALID', async () => {
    const error = await refused({ brokerUrl: url, backendUrl: url, redisBroker: { connectTimeout: 3_000 } });
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toMatch(/certificate/);
  });
});

describe.skipIf(redis.missing)(`Celery over Redis behind Sentinel${redis.note}`, { timeout: TIMEOUT }, () => {
  let redises: RedisSentinel;
  beforeAll(async () => {
    redises = await RedisSentinel.create(CANARY, SENTINEL_CANARY);
  }, TIMEOUT);
  afterAll(() => redises.remove());

  it('finds the master by sentinel:// URLs, and needs its name', async () => {
    const url = `sentinel://:${CANARY}@127.0.0.1:${redises.port};sentinel://localhost:${redises.port}/0`;
    const sentinel = { name: redises.name, password: SENTINEL_CANARY };
    const options = { brokerUrl: url, backendUrl: url, redisBroker: { sentinel }, redisBackend: { sentinel } };
    expect(await works(options, redises.master.url)).toBe(true);
    expect((await refused({ brokerUrl: url, backendUrl: url })).code).toBe('CONFIG_INVALID');
  });
});
