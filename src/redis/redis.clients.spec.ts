import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { neededService } from '../../test/support/needed-service.js';
import { eventually } from '../core/contract.js';
import { StoreLogger } from '../embedded/store-logger.js';
import { isUp, RedisClients } from './index.js';

const redis = neededService('redis');
const TIMEOUTS = { connectTimeout: 5_000, commandTimeout: 5_000 };

describe.skipIf(redis.missing)(`the connections of a plugin${redis.note}`, () => {
  let clients: RedisClients;
  beforeEach(async () => {
    const options = { url: redis.address, host: '', port: 0, ...TIMEOUTS };
    clients = new RedisClients(options, 'hub-test', new StoreLogger('Test'), {});
    await clients.open();
  });
  afterEach(() => clients.close());

  it('a duplicate that ended and was connected again is known again, and closed in the end', async () => {
    const blocking = (clients.patient as Redis).duplicate({ connectionName: 'hub-test-blocking' });
    await blocking.connect();
    expect(clients.named('hub-test-blocking')).toBe(blocking);
    blocking.disconnect();
    await eventually(() => clients.named('hub-test-blocking') === undefined, 'it has ended');
    await blocking.connect();
    const known = clients.named('hub-test-blocking');
    expect(known).toBe(blocking);
    expect(known === undefined || isUp(known)).toBe(true);
    await clients.close();
    await eventually(() => blocking.status === 'end', 'it is closed');
    // Whoever connects it afterwards gets nothing.
    await blocking.connect().catch(() => undefined);
    await eventually(() => blocking.status === 'end', 'it is closed again');
  });
});
