import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { randomFrom, testSeed } from '../../durability/seeded-random.js';
import { neededService } from '../../support/needed-service.js';
import { RabbitBroker } from '../../support/rabbit-broker.js';
import type { TcpDirection } from '../../support/tcp-proxy.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { ChaosLoad } from './chaos-load.js';
import { ChaosLog } from './chaos-log.js';
import { openChaosPlugin } from './chaos-plugin.js';
import { ChaosScene } from './chaos-scene.js';
import { CHAOS, HEARTBEAT_MS, RETURN_MS } from './chaos-size.js';

const rabbit = neededService('rabbitmq');
const TIMEOUT = 180_000;
/** Deadline of the sends that a blocked broker does not take, in ms. */
const SHORT_MS = 700;
/** amqplib looks for signs of life once in each interval and gives up at the second without one. */
const DETECTION_MS = 3 * HEARTBEAT_MS;

describe.skipIf(rabbit.missing)(`a load while the network fails${rabbit.note}`, { timeout: TIMEOUT }, () => {
  const seed = testSeed();
  const random = randomFrom(seed);
  let broker: RabbitBroker;
  let proxy: TcpProxy;
  let log: ChaosLog;
  let scene: ChaosScene | undefined;

  beforeAll(async () => {
    console.log(`chaos: HUB_TEST_SEED=${seed}`);
    broker = await RabbitBroker.create();
  }, TIMEOUT);
  afterAll(() => broker.remove());
  beforeEach(async () => {
    log = new ChaosLog();
    proxy = await TcpProxy.start(broker.port);
  });
  afterEach(async () => {
    await scene?.close();
    scene = undefined;
    proxy.stop();
    log.close();
  });

  async function open(queue: string): Promise<ChaosScene> {
    const url = `amqp://guest:guest@127.0.0.1:${proxy.port}`;
    return (scene = await ChaosScene.open({ url, direct: broker.amqpUrl, queue }));
  }

  /** Freezes the network for `ms`, and ends that in one of two ways; resolves to when messages go through again, in ms. */
  async function freeze(one: ChaosScene, ms: number, end: 'thaw' | 'cut', direction: TcpDirection = 'both') {
    proxy.freeze(direction);
    one.watch.severed = true;
    const began = performance.now();
    await pause(ms);
    const took = performance.now() - began;
    one.watch.severed = false;
    if (end === 'cut') proxy.cut();
    proxy.thaw();
    const since = performance.now();
    return { took, back: (await one.load.ledger.fresh(since)) - since };
  }

  it('a network that is silent for longer than two heartbeats', async () => {
    const one = await open('silent');
    const lines: string[] = [];
    for (const end of ['thaw', 'cut'] as const) {
      await pause(500 + random() * 1_000);
      const [accepted, lost] = [proxy.accepted, log.lost];
      const { took, back } = await freeze(one, DETECTION_MS + 300 + random() * 300, end);
      // Both connections are new: the driver has given the silent ones up by itself.
      expect(log.lost - lost).toBeGreaterThanOrEqual(2);
      expect(log.count(/[Hh]eartbeat/)).toBeGreaterThan(0);
      expect(proxy.accepted - accepted).toBeGreaterThanOrEqual(2);
      expect(back).toBeLessThanOrEqual(RETURN_MS);
      await one.watch.saw(({ healthy }) => healthy, 'up');
      lines.push(`silent for ${took.toFixed(0)} ms, then ${end}: sent and consumed ${back.toFixed(0)} ms later`);
    }
    lines.push(await one.end());
    console.log(['silent network', ...lines].join('\n  '));
    expect(one.load.rejected).toEqual([]);
    expect(log.unhandled).toEqual([]);
  });

  it('confirms that are lost on their way', async () => {
    const one = await open('unconfirmed');
    const lines: string[] = [];
    let repeated = 0;
    for (let round = 0; round < CHAOS.rounds; round += 1) {
      await pause(500 + random() * 1_000);
      const before = one.load.ledger.duplicates;
      const lost = log.lost;
      const { took, back } = await freeze(one, 200 + random() * 300, 'cut', 'answers');
      expect(back).toBeLessThanOrEqual(RETURN_MS);
      expect(log.lost - lost).toBeGreaterThanOrEqual(2);
      const until = performance.now();
      expect(await one.load.arrived(20_000, ({ ended }) => ended < until)).toEqual([]);
      repeated += one.load.ledger.duplicates - before;
      lines.push(`no answers for ${took.toFixed(0)} ms, then cut: sent and consumed ${back.toFixed(0)} ms later`);
    }
    lines.push(await one.end());
    console.log(['lost confirms', ...lines].join('\n  '));
    // The broker had them and the driver could not know: without duplicates nothing was lost on its way.
    expect(repeated).toBeGreaterThan(0);
    expect(one.load.rejected).toEqual([]);
    expect(log.unhandled).toEqual([]);
  });

  it('a memory alarm: consumption goes on, sends fail in time, and work again after it', async () => {
    const impatient = await openChaosPlugin(broker.amqpUrl, { publishTimeout: SHORT_MS });
    try {
      const one = await open('alarmed');
      const { load, watch } = one;
      const stock = await impatient
        .createQueue('stock')
        .then(() => new ChaosLoad(impatient, 'stock', { failing: false }));
      // A stock of messages, to see that consumption goes on while nothing comes in.
      for (let sent = 0; sent < 3_000; sent += 500) await Promise.all(Array.from({ length: 500 }, () => stock.send()));
      await broker.setMemoryAlarm(true);
      const failing = new ChaosLoad(impatient, 'stock', {
        publishTimeout: SHORT_MS,
        prefix: 'late',
        ledger: stock.ledger,
        perSecond: 500,
      });
      failing.start();
      const confirmed = stock.ledger.confirmed.size;
      const blocked = await watch.saw(({ degraded }) => degraded, 'degraded');
      expect(blocked).toMatchObject({ healthy: true, message: 'low on memory' });
      await stock.consume();
      expect(await stock.arrived(10_000)).toEqual([]);
      expect(stock.ledger.deliveries.size).toBeGreaterThanOrEqual(3_000);
      await expect.poll(() => failing.rejected.length, { timeout: 10_000 }).toBeGreaterThan(100);
      expect((await impatient.healthCheck()).details).toMatchObject({ degraded: true, blocked: 'low on memory' });
      await broker.setMemoryAlarm(false);
      const since = performance.now();
      const back = (await load.ledger.fresh(since)) - since;
      await watch.saw(({ healthy, degraded }) => healthy && !degraded, 'neither blocked nor degraded');
      expect(await failing.send()).toBe(true);
      // What was written before the alarm and not confirmed in time may have arrived.
      expect(await failing.end()).toEqual([]);
      expect(stock.ledger.confirmed.size).toBeGreaterThan(confirmed);
      expect(new Set(failing.rejected.map(({ code }) => code))).toEqual(new Set(['UNAVAILABLE']));
      expect(failing.rejected.filter(({ message }) => message.includes('resource alarm')).length).toBeGreaterThan(0);
      const slowest = Math.max(...failing.rejected.map(({ took }) => took));
      const figures = await one.end();
      expect(watch.samples.every(({ healthy }) => healthy)).toBe(true);
      expect(load.rejected).toEqual([]);
      expect(log.unhandled).toEqual([]);
      console.log(
        `memory alarm\n  3000 messages consumed during it; ${failing.rejected.length} sends failed, the slowest after ` +
          `${slowest.toFixed(0)} ms (deadline ${SHORT_MS} ms); sent and consumed ${back.toFixed(0)} ms after it\n  ${figures}`,
      );
    } finally {
      await impatient.shutdown();
    }
  });

  it('a message whose retry cannot be sent holds its place no longer than its delivery lasts', async () => {
    const plugin = await openChaosPlugin(broker.amqpUrl);
    try {
      await plugin.createQueue('held');
      await plugin.sendData('held', 1, { messageId: 'failing' });
      await broker.setMemoryAlarm(true);
      const deliveries: boolean[] = [];
      await plugin.subscribe('held', ({ redelivered }) => {
        deliveries.push(redelivered);
        throw new Error('not yet');
      });
      await expect.poll(() => deliveries, { timeout: 5_000 }).toEqual([false]);
      await broker.closeConnections(({ name }) => name.endsWith(' consume'));
      await expect.poll(() => deliveries, { timeout: 5_000 }).toEqual([false, true]);
      expect((await plugin.healthCheck()).details).toMatchObject({ degraded: true, blocked: 'low on memory' });
    } finally {
      await broker.setMemoryAlarm(false);
      await plugin.shutdown();
    }
  });
});
