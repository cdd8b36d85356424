import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { neededService } from '../../../../../test/support/needed-service.js';
import { RedisServer } from '../../../../../test/support/redis-server.js';
import { StoreLogger } from '../../../../embedded/store-logger.js';
import { RedisClients } from '../../../../redis/index.js';
import { SubmitNotes, type ExpiringText } from './submit-notes.js';

const redis = neededService('redis');
const source = { plugin: 'taskqueue', driver: 'celery' } as const;
const OPTIONS = { host: '', port: 0, connectTimeout: 5_000, commandTimeout: 5_000 };

describe.skipIf(redis.missing)(`notes of submits${redis.note}`, () => {
  let server: RedisServer;
  let admin: Redis;
  const opened: RedisClients[] = [];

  beforeEach(async () => {
    server = await RedisServer.create();
    admin = new Redis(server.url);
  });

  afterEach(async () => {
    admin.disconnect();
    for (const clients of opened.splice(0)) await clients.close();
    await server.remove();
  });

  async function notes(login: { username?: string; password?: string } = {}): Promise<SubmitNotes> {
    const logger = new StoreLogger('spec');
    const clients = new RedisClients({ ...OPTIONS, url: server.url, ...login }, 'spec', logger, source);
    opened.push(clients);
    await clients.open();
    return new SubmitNotes(clients, logger);
  }

  const texts = (count: number): ExpiringText[] =>
    Array.from({ length: count }, (_none, index) => ({ key: randomUUID(), text: `note ${index}`, ttl: 60_000 }));

  /** How often each command was called since the last look, of those that write notes. */
  async function calls(): Promise<Record<string, number>> {
    const stats = await admin.info('commandstats');
    await admin.config('RESETSTAT');
    const found = [...stats.matchAll(/cmdstat_(set|eval):calls=(\d+)/g)];
    return Object.fromEntries(found.map(([, name, count]) => [name, Number(count)]));
  }

  async function stored(all: readonly ExpiringText[]): Promise<void> {
    expect(await admin.mget(all.map(({ key }) => key))).toEqual(all.map(({ text }) => text));
    for (const { key } of all) {
      const left = await admin.pttl(key);
      expect(left).toBeGreaterThan(30_000);
      expect(left).toBeLessThanOrEqual(60_000);
    }
  }

  it('are written by one command for all of a turn, with the time that they are kept', async () => {
    const writer = await notes();
    const all = texts(1_201);
    await calls();
    await Promise.all(all.map((note) => writer.write([note])));
    expect(await calls()).toMatchObject({ eval: 3 });
    await stored(all);
    const single = texts(1);
    await writer.write(single);
    expect(await calls()).toMatchObject({ set: 1 });
    await stored(single);
  });

  it('of several turns are written by one command when Redis is at work on earlier ones', async () => {
    const writer = await notes();
    const all = texts(6);
    await calls();
    await admin.call('CLIENT', 'PAUSE', '300', 'WRITE');
    const written: Promise<void>[] = [];
    for (const note of all) {
      written.push(writer.write([note]));
      await sleep(10);
    }
    await Promise.all(written);
    // One by itself, and five within the one script.
    expect(await calls()).toEqual({ set: 6, eval: 1 });
    await stored(all);
  });

  it('are written one by one for a user that may not run scripts', async () => {
    await admin.call('ACL', 'SETUSER', 'plain', 'on', '>secret', '~*', '&*', '+@all', '-@scripting');
    const writer = await notes({ username: 'plain', password: 'secret' });
    const all = texts(20);
    await writer.write(all);
    await stored(all);
    await calls();
    await writer.write(texts(5));
    expect(await calls()).toEqual({ set: 5 });
  });

  it('are let go of while Redis is away', async () => {
    const writer = await notes();
    await server.kill();
    await expect(writer.write(texts(3))).resolves.toBeUndefined();
  });
});
