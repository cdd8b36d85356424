import { installPackages } from './debian-packages.js';
import { probeRedis } from './redis-probe.js';
import { RedisServer } from './redis-server.js';

/** Where the tests' own server listens. */
const address = 'redis://127.0.0.1:56379';

/** Starts a server of its own in a temporary folder, with Debian's package; resolves to how to stop and remove it. */
async function start(signal: AbortSignal): Promise<() => Promise<void>> {
  if (!RedisServer.isInstalled) {
    if (process.getuid?.() !== 0) {
      throw new Error('there is no Redis. Install the package redis-server, or set HUB_TEST_REDIS.');
    }
    await installPackages(['redis-server'], signal);
  }
  const server = await RedisServer.create({ port: Number(new URL(address).port) });
  return async () => server.remove();
}

/** The Redis server of the tests. */
export const redis = { address, probe: probeRedis, start };
