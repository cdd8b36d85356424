import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RabbitMQPlugin } from '../../../src/datastream/drivers/rabbitmq/rabbitmq.plugin.js';
import { neededService } from '../../support/needed-service.js';
import { RabbitVhost } from '../../support/rabbit-vhost.js';
import { ChaosLoad } from './chaos-load.js';
import { ChaosLog } from './chaos-log.js';
import { openChaosPlugin } from './chaos-plugin.js';
import { CHAOS } from './chaos-size.js';
import { rawMessages } from './raw-messages.js';

const rabbit = neededService('rabbitmq');
const TIMEOUT = 120_000;
const ATTEMPTS = 3;

describe.skipIf(rabbit.missing)(`messages that fail${rabbit.note}`, { timeout: TIMEOUT }, () => {
  let vhost: RabbitVhost;
  let plugin: RabbitMQPlugin;
  let log: ChaosLog;

  beforeAll(async () => {
    log = new ChaosLog();
    vhost = await RabbitVhost.open('chaos-retry');
    plugin = await openChaosPlugin(vhost.url);
  });
  afterAll(async () => {
    await plugin.shutdown();
    await vhost.remove();
    expect(log.unhandled).toEqual([]);
    log.close();
  });

  it('a message that always fails ends as a dead letter, and the others flow on', async () => {
    await plugin.createQueue('failing');
    const load = new ChaosLoad(plugin, 'failing');
    const attempts: number[] = [];
    let fixed: number | undefined;
    let broken = true;
    await plugin.subscribe(
      'failing',
      ({ messageId, payload, attempt }) => {
        if (messageId !== 'poison') return load.ledger.arrived(messageId, payload);
        attempts.push(attempt);
        if (broken) throw new Error(`failure ${attempt}`);
        fixed = attempt;
      },
      { concurrency: 20, prefetch: 200, retry: { attempts: ATTEMPTS, delay: 50, factor: 1 } },
    );
    load.start();
    await load.reached(CHAOS.messages / 4);
    await plugin.sendData('failing', { any: 'thing' }, { messageId: 'poison', headers: { own: 'header' } });
    await expect.poll(async () => plugin.peekDeadLetters('failing'), { timeout: 10_000 }).toHaveLength(1);
    const dead = load.ledger.deliveries.size;
    await load.reached(CHAOS.messages);
    expect(await load.end()).toEqual([]);
    expect(load.ledger.deliveries.size).toBeGreaterThan(dead);
    expect(load.rejected).toEqual([]);

    expect(attempts).toEqual([1, 2, 3]);
    expect(await plugin.peekDeadLetters('failing')).toMatchObject([
      {
        ...{ messageId: 'poison', payload: { any: 'thing' }, headers: { own: 'header' } },
        ...{ reason: 'failed', detail: 'failure 3', attempt: ATTEMPTS },
      },
    ]);
    const [letter] = await rawMessages(vhost.url, 'failing.dead', 1);
    const failures = JSON.parse(String(letter?.properties.headers?.['x-hub-failures'])) as unknown[];
    expect(failures).toMatchObject([1, 2, 3].map((attempt) => ({ attempt, detail: `failure ${attempt}` })));
    broken = false;
    await expect.poll(async () => plugin.redriveDeadLetters('failing'), { timeout: 5_000 }).toBe(1);
    await expect.poll(() => fixed, { timeout: 5_000 }).toBe(1);
    console.log(`a failing message\n  attempts ${attempts.join()}; ${load.ledger.confirmed.size} others flowed on`);
  });

  it('a retry after 200 ms does not wait behind one after 5 s', async () => {
    await plugin.createQueue('patient');
    const took: { id: string; attempt: number; at: number }[] = [];
    // The first failure costs 200 ms, the second one 5 s.
    const retry = { attempts: 5, delay: 200, factor: 25, maxDelay: 5_000 };
    await plugin.subscribe(
      'patient',
      ({ messageId, attempt }) => {
        took.push({ id: messageId, attempt, at: performance.now() });
        if (attempt <= (messageId === 'long' ? 2 : 1)) throw new Error('not yet');
      },
      { concurrency: 5, retry },
    );
    const times = (id: string): number[] => took.filter((one) => one.id === id).map(({ at }) => at);
    await plugin.sendData('patient', 1, { messageId: 'long' });
    await expect.poll(() => times('long').length, { timeout: 10_000 }).toBe(2);
    // The long one waits now.
    await pause(200);
    await plugin.sendData('patient', 2, { messageId: 'short' });
    await expect.poll(() => times('short').length, { timeout: 10_000, interval: 10 }).toBe(2);
    expect(times('long')).toHaveLength(2);
    await expect.poll(() => times('long').length, { timeout: 15_000 }).toBe(3);
    const waited = (id: string, nth: number): number => (times(id)[nth] ?? 0) - (times(id)[nth - 1] ?? 0);
    expect(waited('short', 1)).toBeGreaterThanOrEqual(200);
    expect(waited('long', 2)).toBeGreaterThanOrEqual(5_000);
    const [short, long] = [waited('short', 1), waited('long', 2)].map((ms) => ms.toFixed(0));
    console.log(`delays\n  200 ms: ${short} ms, while another waited for 5 s: ${long} ms`);
  });
});
