import { setTimeout as pause } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataStreamModule, DataStreamPlugin } from '../../../src/datastream/index.js';
import { neededService } from '../../support/needed-service.js';
import { RabbitVhost } from '../../support/rabbit-vhost.js';
import { ChaosLoad } from './chaos-load.js';
import { ChaosLog } from './chaos-log.js';
import { chaosOptions } from './chaos-plugin.js';
import { CHAOS, RETURN_MS } from './chaos-size.js';
import { HealthWatch } from './health-watch.js';
import { MessageLedger } from './message-ledger.js';
import { Witness } from './witness.js';

const rabbit = neededService('rabbitmq');
const TIMEOUT = 120_000;

describe.skipIf(rabbit.missing)(`two applications in one process${rabbit.note}`, { timeout: TIMEOUT }, () => {
  let vhost: RabbitVhost;
  let log: ChaosLog;

  beforeAll(async () => {
    log = new ChaosLog();
    vhost = await RabbitVhost.open('chaos-apps');
  });
  afterAll(async () => {
    await vhost.remove();
    log.close();
  });

  async function boot(): Promise<INestApplicationContext> {
    const module = DataStreamModule.forRoot({ type: 'rabbitmq', config: chaosOptions(vhost.url) });
    return NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  }

  it('one is closed, and the other goes on sending and consuming', async () => {
    const apps = [await boot(), await boot()] as const;
    const [first, second] = apps.map((app) => app.get(DataStreamPlugin)) as [DataStreamPlugin, DataStreamPlugin];
    const witness = new Witness(vhost.url);
    await first.createQueue('shared');
    await second.createQueue('shared');
    const ledger = new MessageLedger();
    const loads = [first, second].map(
      (plugin, index) => new ChaosLoad(plugin, 'shared', { ledger, prefix: `app${index}`, perSecond: 3_000 }),
    ) as [ChaosLoad, ChaosLoad];
    const got = [0, 0];
    for (const [index, plugin] of [first, second].entries()) {
      await plugin.subscribe(
        'shared',
        ({ messageId, payload }) => {
          got[index] = (got[index] ?? 0) + 1;
          ledger.arrived(messageId, payload);
        },
        { concurrency: 20, prefetch: 200 },
      );
    }
    const watch = new HealthWatch(second, 'shared', witness);
    for (const load of loads) load.start();
    await loads[0].reached(CHAOS.messages / 2);
    expect(await witness.consumers('shared')).toBe(2);
    const before = [...got];
    // What it has begun to send is part of what it closes.
    const stopped = loads[0].stop();
    await apps[0].close();
    const since = performance.now();
    await stopped;
    expect(before.every((count) => count > 0)).toBe(true);
    expect((await first.healthCheck()).healthy).toBe(false);
    await expect(first.sendData('shared', 1)).rejects.toMatchObject({ code: 'CLOSED' });
    const next = (await ledger.fresh(since)) - since;
    expect(next).toBeLessThanOrEqual(RETURN_MS);
    await pause(200);
    expect(await witness.consumers('shared')).toBe(1);
    await loads[1].reached(CHAOS.messages);
    await loads[1].stop();
    expect(await loads[1].arrived()).toEqual([]);
    await watch.stop();
    expect(got[1]).toBeGreaterThan(before[1] ?? 0);
    expect(ledger.faults).toEqual([]);
    expect(loads[1].rejected).toEqual([]);
    expect(watch.samples.every(({ healthy }) => healthy)).toBe(true);
    await apps[1].close();
    await witness.close();
    expect(log.lost).toBe(0);
    expect(log.unhandled).toEqual([]);
    console.log(
      `two applications\n  ${ledger.confirmed.size} confirmed, 0 lost, ${ledger.duplicates} duplicates; before the close ` +
        `${before.join(' and ')} consumed, in the end ${got.join(' and ')}; the next one ${next.toFixed(0)} ms after it`,
    );
  });
});
