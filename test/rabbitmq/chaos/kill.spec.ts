import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LedgerLine } from '../../durability/ledger.js';
import { killedChild } from '../../durability/killed-child.js';
import { randomFrom, testSeed } from '../../durability/seeded-random.js';
import type { RabbitMQPlugin } from '../../../src/datastream/drivers/rabbitmq/rabbitmq.plugin.js';
import { neededService } from '../../support/needed-service.js';
import { RabbitBroker } from '../../support/rabbit-broker.js';
import { ChaosLoad } from './chaos-load.js';
import { ChaosLog } from './chaos-log.js';
import { openChaosPlugin } from './chaos-plugin.js';
import { CHAOS, RETURN_MS } from './chaos-size.js';
import { HealthWatch } from './health-watch.js';

const rabbit = neededService('rabbitmq');
const TIMEOUT = 180_000;
const QUEUES = ['quorum', 'classic'] as const;
/** Deliveries that a message may need here. */
const DELIVERY_LIMIT = 3;
/** Messages that are sent right behind the poison. */
const OTHERS = 300;
const here = (program: string): string => `../rabbitmq/chaos/${program}`;

describe.skipIf(rabbit.missing)(`consuming processes that are killed${rabbit.note}`, { timeout: TIMEOUT }, () => {
  const seed = testSeed();
  const random = randomFrom(seed);
  let broker: RabbitBroker;
  let log: ChaosLog;
  let plugins: Record<(typeof QUEUES)[number], RabbitMQPlugin>;

  beforeAll(async () => {
    console.log(`chaos: HUB_TEST_SEED=${seed}`);
    broker = await RabbitBroker.create();
  }, TIMEOUT);
  afterAll(() => broker.remove());
  beforeEach(async () => {
    log = new ChaosLog();
    const [quorum, classic] = await Promise.all(
      QUEUES.map((queueType) => openChaosPlugin(broker.amqpUrl, { queueType })),
    );
    plugins = { quorum, classic } as typeof plugins;
  });
  afterEach(async () => {
    await Promise.all(Object.values(plugins).map((plugin) => plugin.shutdown()));
    log.close();
  });

  it('kill -9 again and again, while messages come in: none is lost', async () => {
    const loads = await Promise.all(
      QUEUES.map(async (type) => {
        await plugins[type].createQueue(type);
        return new ChaosLoad(plugins[type], type, { perSecond: 2_500, failing: false });
      }),
    );
    const attempts = new Map<string, number[]>();
    const add = (lines: readonly LedgerLine[]): void => {
      for (const [queue, id = '', payload, attempt = 0] of lines) {
        loads[QUEUES.indexOf(queue as 'quorum')]?.ledger.arrived(String(id), payload);
        attempts.set(String(id), [...(attempts.get(String(id)) ?? []), Number(attempt)]);
      }
    };
    for (const load of loads) load.start();
    // Whatever happens to consumers elsewhere is no fault of this process.
    const watch = new HealthWatch(plugins.quorum, 'quorum', { consumers: async () => 1 });
    let lived = 0;
    for (let kill = 0; kill < CHAOS.kills; kill += 1) {
      const args = [broker.amqpUrl, ...QUEUES];
      const child = await killedChild(here('consumer.child.ts'), args, 200 + random() * 500);
      expect(child.ledger.length).toBeGreaterThan(0);
      add(child.ledger);
      lived += child.lived;
    }
    await Promise.all(loads.map((load) => load.reached(CHAOS.messages)));
    const byChildren = attempts.size;
    const since = performance.now();
    const consuming = loads.map((load) => load.ledger.next(TIMEOUT));
    await Promise.all(loads.map((load) => load.consume()));
    const back = Math.max(...(await Promise.all(consuming))) - since;
    const lost = await Promise.all(loads.map((load) => load.end()));
    await watch.stop();
    const again = [...attempts.values()].filter((list) => list.length > 1);
    const figures = loads.map(
      ({ ledger }, index) =>
        `${QUEUES[index]}: ${ledger.confirmed.size} confirmed, ${lost[index]?.length} lost, ${ledger.duplicates} duplicates`,
    );
    console.log(
      [
        `killed consumers\n  ${CHAOS.kills} kills in ${lived} ms of consuming, ${byChildren} messages by killed processes, ` +
          `${again.length} of them twice or more; the next consumer began after ${back.toFixed(0)} ms`,
        ...figures,
      ].join('\n  '),
    );
    expect(lost).toEqual([[], []]);
    expect(loads.flatMap(({ ledger }) => ledger.faults)).toEqual([]);
    expect(loads.flatMap(({ rejected }) => rejected)).toEqual([]);
    // Those that were in hand at a kill came again, and said so.
    const told = [...attempts.values()].flat().filter((attempt) => attempt > 1).length;
    expect(loads.reduce((sum, { redelivered }) => sum + redelivered, told)).toBeGreaterThan(0);
    for (const list of again) expect(list.slice(1).every((attempt) => attempt > (list[0] ?? 0))).toBe(true);
    expect(back).toBeLessThanOrEqual(RETURN_MS);
    expect(watch.falseDown).toBeLessThanOrEqual(RETURN_MS);
    for (const type of QUEUES) expect(await plugins[type].peekDeadLetters(type)).toEqual([]);
    expect(log.unhandled).toEqual([]);
  });

  it.each(QUEUES)('a message that kills its process each time, on a %s queue, ends as a dead letter', async (type) => {
    const plugin = plugins[type];
    const queue = `poisoned.${type}`;
    await plugin.createQueue(queue, { deliveryLimit: DELIVERY_LIMIT });
    const load = new ChaosLoad(plugin, queue);
    await plugin.sendData(queue, 'poison', { messageId: 'poison' });
    for (let sent = 0; sent < OTHERS; sent += 1) await load.send();
    const took: number[] = [];
    for (let child = 0; child < DELIVERY_LIMIT; child += 1) {
      const args = [broker.amqpUrl, type, queue, DELIVERY_LIMIT];
      const { ledger } = await killedChild(here('poison.child.ts'), args);
      const last = ledger.at(-1);
      expect(last?.slice(0, 2)).toEqual(['took', 'poison']);
      took.push(Number(last?.[2]));
      // A classic queue has those that came before it was counted, and put back at the end.
      for (const [, id] of ledger.slice(0, -1)) load.ledger.arrived(String(id), id);
    }
    expect(took).toEqual([1, 2, 3]);
    let redriven: number | undefined;
    load.start();
    await plugin.subscribe(
      queue,
      ({ messageId, payload, attempt }) => {
        if (messageId === 'poison') redriven = attempt;
        else load.ledger.arrived(messageId, payload);
      },
      { concurrency: 20, prefetch: 200 },
    );
    await load.reached(CHAOS.messages);
    expect(await load.end()).toEqual([]);
    await expect.poll(async () => (await plugin.queueInfo(queue)).deadLetters, { timeout: 10_000 }).toBe(1);
    const letters = await plugin.peekDeadLetters(queue);
    expect(letters).toMatchObject([
      { messageId: 'poison', payload: 'poison', reason: 'delivery-limit', attempt: DELIVERY_LIMIT },
    ]);
    expect(redriven).toBeUndefined();
    expect(await plugin.redriveDeadLetters(queue)).toBe(1);
    await expect.poll(() => redriven, { timeout: 5_000 }).toBe(1);
    expect(load.ledger.faults).toEqual([]);
    expect(log.unhandled).toEqual([]);
    console.log(
      `poison on a ${type} queue\n  deliveries ${took.join()}, then dead; ` +
        `${load.ledger.confirmed.size} others flowed on`,
    );
  });
});
