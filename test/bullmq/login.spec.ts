import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import { CANARY, tellsCanary } from '../support/canary.js';
import { neededService } from '../support/needed-service.js';
import { RedisServer } from '../support/redis-server.js';
import { GuardedBullMQRoom } from './guarded-bullmq-room.js';

const redis = neededService('redis');

describe.skipIf(redis.missing)(`logging in to Redis${redis.note}`, { timeout: 60_000 }, () => {
  let server: RedisServer;
  let room: GuardedBullMQRoom;
  beforeAll(async () => {
    server = await RedisServer.create({ password: CANARY });
  });
  afterAll(() => server.remove());
  beforeEach(() => {
    room = new GuardedBullMQRoom();
  });
  afterEach(() => room.close());

  const parts = (): { host: string; port: number } => ({ host: '127.0.0.1', port: server.port });

  it('works with the password in the URL, beside it, and by parts', async () => {
    expect(await room.works({ url: server.url })).toBe(true);
    expect(await room.works({ url: `redis://:wrong@127.0.0.1:${server.port}`, password: CANARY })).toBe(true);
    expect(await room.works({ ...parts(), username: 'default', password: CANARY })).toBe(true);
  });

  it('a wrong password, user, or none is UNAUTHORIZED, and is told nowhere', async () => {
    const wrong = `${CANARY}?`;
    const logins = [
      { url: `redis://:${encodeURIComponent(wrong)}@127.0.0.1:${server.port}` },
      { ...parts(), password: wrong },
      { ...parts(), username: CANARY, password: wrong },
    ];
    for (const login of logins) expect((await room.refused(login, 'UNAUTHORIZED')).message).toContain('WRONGPASS');
    expect((await room.refused(parts(), 'UNAUTHORIZED')).message).toContain('NOAUTH');
  });

  it('a password that is changed while the plugin is open is told nowhere either, and it comes back with the old one', async () => {
    const plugin = await room.open({ url: server.url, commandTimeout: 2_000 });
    await plugin.registerTask('ours', () => null);
    await plugin.getResult(await plugin.submitTask('ours'), { timeout: 15_000 });
    const admin = new Redis(server.url);
    try {
      await admin.config('SET', 'requirepass', `${CANARY}?`);
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await eventually(async () => !(await plugin.healthCheck()).healthy, 'health tells', 15_000);
      const failures: unknown[] = [];
      // The first ones may come before the new connection has tried to log in.
      const saysWhy = async (): Promise<boolean> => {
        failures.push(await plugin.submitTask('ours').catch((error: unknown) => error));
        return String(failures.at(-1)).includes('WRONGPASS');
      };
      await eventually(saysWhy, 'a submit says why', 15_000);
      for (const failure of failures) expect(failure).toMatchObject({ code: 'UNAVAILABLE' });
      expect(tellsCanary(failures, await plugin.healthCheck())).toBe(false);
      expect(room.log.texts('warn').filter((line) => line.includes('the connection to Redis is lost'))).not.toEqual([]);
    } finally {
      await admin.config('SET', 'requirepass', CANARY);
      admin.disconnect();
    }
    await eventually(async () => (await plugin.healthCheck()).healthy, 'health is back', 30_000);
  });

  for (const [policy, warnings] of [
    ['allkeys-lru', 1],
    ['volatile-ttl', 1],
    ['noeviction', 0],
  ] as const) {
    it(`maxmemory-policy ${policy}: ${warnings} warning at the start`, async () => {
      const own = await RedisServer.create({ args: ['--maxmemory-policy', policy] });
      try {
        expect(await room.works({ url: own.url })).toBe(true);
        const told = room.log.texts('warn', 'error').filter((line) => line.includes('maxmemory'));
        expect(told).toHaveLength(warnings);
        for (const line of told) expect(line).toMatch(new RegExp(`${policy}.*noeviction`));
      } finally {
        await room.close();
        await own.remove();
      }
    });
  }
});
