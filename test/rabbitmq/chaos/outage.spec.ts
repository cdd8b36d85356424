import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { randomFrom, testSeed } from '../../durability/seeded-random.js';
import { ATTEMPT } from '../../../src/datastream/drivers/rabbitmq/hub-headers.js';
import type { Message } from '../../../src/datastream/index.js';
import { neededService } from '../../support/needed-service.js';
import { RabbitBroker } from '../../support/rabbit-broker.js';
import { acceptsAgain, plainClientAgain } from './broker-return.js';
import { ChaosLog } from './chaos-log.js';
import { openChaosPlugin } from './chaos-plugin.js';
import { ChaosScene, type ChaosSceneOptions } from './chaos-scene.js';
import { CHAOS, RETURN_MS } from './chaos-size.js';
import { rawMessages } from './raw-messages.js';

const rabbit = neededService('rabbitmq');
const TIMEOUT = 180_000;
/** What the driver logs when the broker cancels its consumer. */
const ENDED = /the broker has ended the subscription/;
/** After so many ms a broker that is killed still knows of a queue that it has declared: its record is on disk then. */
const DECLARED_MS = 2_000;
/** Messages of a stock. */
const STOCK = 3_000;

describe.skipIf(rabbit.missing)(`a load while the broker fails${rabbit.note}`, { timeout: TIMEOUT }, () => {
  const seed = testSeed();
  const random = randomFrom(seed);
  let broker: RabbitBroker;
  let log: ChaosLog;
  let scenes: ChaosScene[] = [];

  beforeAll(async () => {
    console.log(`chaos: HUB_TEST_SEED=${seed}`);
    broker = await RabbitBroker.create();
  }, TIMEOUT);
  afterAll(() => broker.remove());
  beforeEach(() => {
    log = new ChaosLog();
    scenes = [];
  });
  afterEach(async () => {
    await Promise.all(scenes.map((scene) => scene.close()));
    log.close();
  });

  async function scene(queue: string, options: Partial<ChaosSceneOptions> = {}): Promise<ChaosScene> {
    const opened = await ChaosScene.open({ url: broker.amqpUrl, queue, ...options });
    scenes.push(opened);
    return opened;
  }

  /** Lets the broker come back; resolves to how long each consumer and a plain client needed after it listened, in ms. */
  async function comeBack(): Promise<{ back: number; plain: number; down: number }> {
    const before = scenes.map(({ watch }) => watch.samples.filter(({ healthy }) => !healthy).length);
    await Promise.all(scenes.map(({ watch }) => watch.saw(({ healthy }) => !healthy, 'down')));
    const consumed = scenes.map(({ load }) => load.ledger.next(TIMEOUT));
    const accepted = acceptsAgain(broker.port);
    const plain = Promise.all(scenes.map(async ({ queue }) => plainClientAgain(broker.amqpUrl, queue)));
    await broker.start();
    const since = await accepted;
    const back = Math.max(...(await Promise.all(consumed))) - since;
    const control = Math.max(...(await plain)) - since;
    // It needs at least as long as a client that does nothing but try.
    expect(back).toBeLessThanOrEqual(RETURN_MS + control);
    await Promise.all(scenes.map(({ watch }) => watch.saw(({ healthy }) => healthy, 'up')));
    const after = scenes.map(({ watch }) => watch.samples.filter(({ healthy }) => !healthy).length);
    return { back, plain: control, down: Math.min(...after.map((count, index) => count - (before[index] ?? 0))) };
  }

  it('a broker that is stopped, and one that is killed, on quorum and classic queues', async () => {
    await Promise.all([scene('quorum'), scene('classic', { options: { queueType: 'classic' } })]);
    const returns: string[] = [];
    for (const end of ['stop', 'kill'] as const) {
      await pause(500 + random() * 1_000);
      const lost = log.lost;
      await broker[end]();
      const { back, plain, down } = await comeBack();
      expect(log.lost - lost).toBeGreaterThanOrEqual(2 * scenes.length);
      expect(down).toBeGreaterThan(0);
      returns.push(
        `${end}: consuming ${back.toFixed(0)} ms after the broker listened (a plain client: ${plain.toFixed(0)} ms), ` +
          `${down} looks said down`,
      );
    }
    const figures = await Promise.all(scenes.map((one) => one.end()));
    console.log(['broker outage', ...returns, ...figures].join('\n  '));
    expect(scenes.flatMap(({ load }) => load.rejected)).toEqual([]);
    expect(log.unhandled).toEqual([]);
  });

  it('a stock in a classic queue, all of which a killed broker calls redelivered, is worked on at once and in order', async () => {
    const plugin = await openChaosPlugin(broker.amqpUrl, { queueType: 'classic' });
    try {
      await plugin.createQueue('stock');
      await pause(DECLARED_MS);
      await plugin.sendBatch(
        'stock',
        Array.from({ length: STOCK }, (_, index) => ({ payload: index })),
      );
      const took: Message[] = [];
      const subscription = await plugin.subscribe('stock', async (message) => {
        took.push(message);
        await pause(20);
      });
      await expect.poll(() => took.length).toBeGreaterThan(0);
      await broker.kill();
      await broker.start();
      await expect
        .poll(() => took.filter(({ redelivered }) => redelivered).length, { timeout: 5_000 })
        .toBeGreaterThan(1);
      await subscription.close();
      const again = took.filter(({ redelivered }) => redelivered);
      const [first = -1] = again.map(({ payload }) => Number(payload));
      expect(again.map(({ payload }) => payload)).toEqual(again.map((_, index) => first + index));
      expect(new Set(again.map(({ attempt }) => attempt))).toEqual(new Set([2]));
      expect(first).toBeLessThanOrEqual(took.length - again.length);
      // The rest is as it was sent: nothing was put to the end of the queue to be counted.
      const rest = await rawMessages(broker.amqpUrl, 'stock', 100);
      expect(rest).toHaveLength(100);
      expect(rest.map(({ content }) => Number(content))).toEqual(rest.map((_, index) => first + again.length + index));
      expect(rest.filter(({ properties }) => ATTEMPT in (properties.headers ?? {}))).toEqual([]);
    } finally {
      await plugin.shutdown();
    }
  });

  it('connections that the broker closes again and again', async () => {
    const one = await scene('closed');
    const backs: number[] = [];
    for (let round = 0; round < CHAOS.rounds; round += 1) {
      await pause(500 + random() * 1_000);
      const lost = log.lost;
      await broker.closeConnections();
      const since = performance.now();
      backs.push((await one.load.ledger.fresh(since)) - since);
      await expect.poll(() => log.lost - lost, { timeout: 5_000 }).toBeGreaterThanOrEqual(2);
    }
    const figures = await one.end();
    console.log(`closed connections\n  sent and consumed again after ${shown(backs)} ms\n  ${figures}`);
    expect(Math.max(...backs)).toBeLessThanOrEqual(RETURN_MS);
    expect(one.load.rejected).toEqual([]);
    expect(log.unhandled).toEqual([]);
  });

  it('a queue that is deleted under its consumer', async () => {
    // Retries that come back while the queue is missing can hang in RabbitMQ's own worker, see the driver's README.
    const one = await scene('deleted', { failing: false });
    const backs: number[] = [];
    const since: number[] = [0];
    for (let round = 0; round < CHAOS.rounds; round += 1) {
      await pause(500 + random() * 1_000);
      const [from, until] = [since.at(-1) ?? 0, performance.now()];
      // What was confirmed before the deletion goes with the queue, so this is the time to look at it.
      expect(await one.load.arrived(20_000, ({ began, ended }) => began > from && ended < until)).toEqual([]);
      const before = log.count(ENDED);
      await broker.deleteQueue(one.queue);
      const gone = performance.now();
      since.push(gone);
      backs.push((await one.load.ledger.fresh(gone)) - gone);
      expect(log.count(ENDED)).toBeGreaterThan(before);
    }
    // Of the sends that were under way at the last deletion, nobody can say on which side of it they were confirmed.
    const last = since.at(-1) ?? 0;
    const figures = await one.end(({ began }) => began > last);
    console.log(`deleted queue\n  sent and consumed again after ${shown(backs)} ms\n  ${figures}`);
    expect(Math.max(...backs)).toBeLessThanOrEqual(RETURN_MS);
    // Refused: the queue was about to go. The load is such that some always meet it missing.
    const codes = new Set(one.load.rejected.map(({ code }) => code));
    codes.delete('CONFLICT');
    expect([...codes]).toEqual(['NOT_FOUND']);
    expect(log.unhandled).toEqual([]);
  });
});

function shown(times: readonly number[]): string {
  return times.map((time) => time.toFixed(0)).join(', ');
}
