import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { neededService } from './needed-service.js';
import { probeRedis } from './redis-probe.js';
import { RedisServer } from './redis-server.js';

const redis = neededService('redis');

describe.skipIf(redis.missing)(`a Redis server of its own${redis.note}`, () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.create();
  });
  afterAll(async () => {
    await server.remove();
    expect(existsSync(server.folder)).toBe(false);
    expect(await probeRedis(server.url)).toContain('ECONNREFUSED');
  });

  /** The answer to one command. */
  async function ask(command: string): Promise<string> {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`${command}\r\n`);
    const [answer] = (await once(socket, 'data', { signal: AbortSignal.timeout(10_000) })) as [Buffer];
    socket.destroy();
    return answer.toString();
  }

  it('keeps what it acknowledged when it is restarted, and when it is killed', async () => {
    await ask('SET first 1');
    await server.restart();
    await ask('SET second 2');
    await server.kill();
    expect(await probeRedis(server.url)).toContain('ECONNREFUSED');
    await server.start();
    expect(await ask('MGET first second')).toBe('*2\r\n$1\r\n1\r\n$1\r\n2\r\n');
    expect(await ask('CONFIG GET maxmemory-policy')).toContain('noeviction');
  });

  it('lets in who knows the password', async () => {
    const locked = await RedisServer.create({ password: 'secret word' });
    try {
      expect(await probeRedis(`redis://127.0.0.1:${locked.port}`)).toContain('NOAUTH');
      expect(await probeRedis(`redis://:wrong@127.0.0.1:${locked.port}`)).toContain('WRONGPASS');
      expect(await probeRedis(locked.url)).toBeUndefined();
    } finally {
      await locked.remove();
    }
  });

  it('answers at the address of the row', async () => {
    expect(await probeRedis(redis.address)).toBeUndefined();
  });
});
