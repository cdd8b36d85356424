import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import { HubError } from '../../src/core/errors.js';
import { CeleryPlugin } from '../../src/taskqueue/drivers/celery/celery.plugin.js';
import { CeleryWorker } from '../support/celery-worker.js';
import { neededService } from '../support/needed-service.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { RedisServer } from '../support/redis-server.js';

const python = neededService('python');
const redis = neededService('redis');
const rabbitmq = neededService('rabbitmq');

/** How many wait at the same time. */
const WAITERS = 10_000;
/** Tasks of one submit. */
const BATCH = 1_000;
/** Most memory of one waiter in bytes, its promise and timers included. */
const MOST_HEAP = 10_240;
const MOST_RSS = 20_480;
/** Most time until all tasks have run, in ms. */
const RUN_MS = 400_000;
/** Most time until all waiters are settled at a shutdown, in ms. */
const CLOSE_MS = 10_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

for (const backend of ['redis', 'rpc'] as const) {
  const needed = [python, redis, rabbitmq];
  const note = [...new Set(needed.map((service) => service.note))].join('');

  describe.skipIf(needed.some(({ missing }) => missing))(
    `${WAITERS} waiters with results by ${backend}${note}`,
    { timeout: RUN_MS + 120_000 },
    () => {
      const appName = `waiters-${randomBytes(4).toString('hex')}`;
      let vhost: RabbitVhost;
      let server: RedisServer;
      let plugin: CeleryPlugin;
      let worker: CeleryWorker | undefined;
      beforeEach(async () => {
        vhost = await RabbitVhost.open('waiters');
        server = await RedisServer.create();
        const backendUrl = backend === 'redis' ? server.url : 'rpc://';
        plugin = new CeleryPlugin({ brokerUrl: vhost.url, backendUrl, appName, withoutWorkers: 'degraded' });
        await plugin.initialize();
      });
      afterEach(async () => {
        await plugin.shutdown();
        await worker?.remove();
        worker = undefined;
        await server.remove();
        await vhost.remove();
      });

      it('share the connections of the plugin, take little memory, and end with their tasks', async () => {
        const ids: string[] = [];
        while (ids.length < WAITERS) {
          const tasks = Array.from({ length: BATCH }, (_, index) => ({
            name: 'contract.add',
            args: [ids.length + index, 1],
          }));
          ids.push(...(await plugin.submitTasks(tasks)));
        }
        const before = await usage();
        const began = performance.now();
        const waiting = ids.map((id) => plugin.getResult(id, { timeout: RUN_MS }).catch((error: unknown) => error));
        await eventually(async () => (await followed()) === WAITERS, 'all are followed', 30_000);
        const followedAfter = performance.now() - began;
        const during = await usage();
        const heap = (during.heap - before.heap) / WAITERS;
        const rss = (during.rss - before.rss) / WAITERS;

        const started = performance.now();
        worker = await CeleryWorker.start({
          python: python.address,
          broker: vhost.url,
          backend: backend === 'redis' ? server.url : 'rpc://',
          conf: { worker_prefetch_multiplier: 20 },
        });
        const results = await Promise.all(waiting);
        const seconds = (performance.now() - started) / 1_000;
        console.log(
          `${WAITERS} waiters by ${backend}: ${before.connections.join('+')} connections (Redis, RabbitMQ) before and ` +
            `${during.connections.join('+')} with them, ${heap.toFixed(0)} bytes of heap and ${rss.toFixed(0)} of RSS each; ` +
            `followed after ${followedAfter.toFixed(0)} ms, all ended ${seconds.toFixed(1)} s after the worker was started`,
        );
        expect(results).toEqual(ids.map((_id, index) => index + 1));
        expect(during.connections).toEqual(before.connections);
        expect(before.connections).toEqual(backend === 'redis' ? [2, 2] : [0, 2]);
        expect(heap).toBeLessThan(MOST_HEAP);
        expect(rss).toBeLessThan(MOST_RSS);
        expect(await followed()).toBe(0);
      });

      it('are all told at a shutdown', async () => {
        const [id = ''] = await plugin.submitTasks([{ name: 'contract.add', args: [1, 2] }]);
        const waiting = Array.from({ length: WAITERS }, async (_, index) =>
          plugin.getResult(`${id}-${index}`, { timeout: RUN_MS }).then(
            () => 'no error',
            (error: unknown) => (HubError.is(error) ? error.code : String(error)),
          ),
        );
        await eventually(async () => (await followed()) === WAITERS, 'all are followed', 30_000);
        const began = performance.now();
        const closed = plugin.shutdown();
        const codes = new Set(await Promise.all(waiting));
        const settled = performance.now() - began;
        await closed;
        console.log(
          `${WAITERS} waiters by ${backend}: settled ${settled.toFixed(0)} ms after shutdown() was called, which took ` +
            `${(performance.now() - began).toFixed(0)} ms`,
        );
        expect([...codes]).toEqual(['CLOSED']);
        expect(performance.now() - began).toBeLessThan(CLOSE_MS);
      });

      /** Tasks that are followed, as the plugin itself says. */
      async function followed(): Promise<unknown> {
        return (await plugin.healthCheck()).details['followed'];
      }

      async function usage(): Promise<{ heap: number; rss: number; connections: number[] }> {
        const connections = [await redisConnections(), await rabbitConnections()];
        collect();
        collect();
        const { heapUsed, rss } = process.memoryUsage();
        return { heap: heapUsed, rss, connections };
      }

      /** Of the plugin, as the server sees them. */
      async function redisConnections(): Promise<number> {
        const client = new Redis(server.url);
        try {
          const lines = String(await client.client('LIST')).split('\n');
          return lines.filter((line) => line.includes(` name=${appName}:`)).length;
        } finally {
          client.disconnect();
        }
      }

      /** Of the vhost, when the management API has seen them: it is some seconds late. */
      async function rabbitConnections(): Promise<number> {
        let count = 0;
        const path = `vhosts/${encodeURIComponent(vhost.name)}/connections`;
        await eventually(
          async () => (count = ((await vhost.management.call('GET', path)) as unknown[]).length) >= 2,
          'the management API shows the connections',
          20_000,
        );
        return count;
      }
    },
  );
}
