import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import { DataStreamPlugin, OnData, type Message } from '../../src/index.js';
import { LogListener } from '../support/log-listener.js';
import { neededService } from '../support/needed-service.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { HubApp, type HubAppParts } from './hub-app.js';

const rabbit = neededService('rabbitmq');

/** What the application's handlers did. */
const began: number[] = [];
const ended: number[] = [];

@Injectable()
class Rows {
  constructor(private readonly stream: DataStreamPlugin) {}

  @OnData('rows', { createQueue: true, concurrency: 4, prefetch: 20 })
  async take({ payload, messageId }: Message): Promise<void> {
    const { number } = payload as { number: number };
    began.push(number);
    await delay(300);
    // A handler that sends on: its message belongs to the work that a shutdown waits for.
    await this.stream.sendData('results', { number }, { correlationId: messageId });
    ended.push(number);
  }
}

@Injectable()
class Batches {
  @OnData('batches', { createQueue: true, batch: true, size: 10, maxWait: 60_000 })
  async take(messages: Message[]): Promise<void> {
    began.push(messages.length);
    await delay(300);
    ended.push(messages.length);
  }
}

describe.skipIf(rabbit.missing)(`app.close() on RabbitMQ${rabbit.note}`, () => {
  let vhost: RabbitVhost;
  let log: LogListener;
  const apps: HubApp[] = [];
  const boot = async (parts: HubAppParts = {}): Promise<HubApp> => {
    const queues = [{ name: 'results' }, { name: 'rows' }];
    const app = await HubApp.boot({ config: { url: vhost.url, queues } }, { log, ...parts });
    apps.push(app);
    return app;
  };
  beforeEach(async () => {
    vhost = await RabbitVhost.open('shutdown');
    log = new LogListener();
    began.length = 0;
    ended.length = 0;
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
    Logger.overrideLogger(false);
    await vhost.remove();
  });

  /** The numbers in a queue, each once; what was delivered more than once counts as one. */
  async function numbersIn(app: HubApp, queue: string): Promise<number[]> {
    const found = await app.stream.pullBatch(queue, { max: 10_000, wait: 1_000, ack: 'auto' });
    const numbers = found.map(({ payload }) => (payload as { number: number }).number);
    return [...new Set(numbers)].sort((a, b) => a - b);
  }

  it('handlers that run end and are acked; the rest stays in the queue, unharmed', async () => {
    const app = await boot({ providers: [Rows] });
    const all = Array.from({ length: 50 }, (_, number) => number);
    await app.stream.sendBatch(
      'rows',
      all.map((number) => ({ payload: { number } })),
    );
    await eventually(() => ended.length >= 4, 'handlers run', 10_000);
    await app.close();
    expect([...began].sort()).toEqual([...ended].sort());
    expect(log.texts('error', 'fatal', 'warn')).toEqual([]);
    await delay(400);
    expect(began.length).toBe(ended.length);

    const next = await boot();
    const done = await numbersIn(next, 'results');
    const left = await numbersIn(next, 'rows');
    expect(done).toEqual([...new Set(ended)].sort((a, b) => a - b));
    expect([...done, ...left].sort((a, b) => a - b)).toEqual(all);
    expect(await next.stream.peekDeadLetters('rows')).toEqual([]);
  });

  it('what was confirmed before and while it closes is there; what was not has an error', async () => {
    const app = await boot();
    const { stream } = app;
    const confirmed: number[] = [];
    const failed: number[] = [];
    let number = 0;
    let closed = false;
    const senders = Array.from({ length: 20 }, async () => {
      while (!closed) {
        const mine = (number += 1);
        await stream.sendData('rows', { number: mine }).then(
          () => confirmed.push(mine),
          () => failed.push(mine),
        );
        if (failed.length > 0) await delay(1);
      }
    });
    await eventually(() => confirmed.length > 200, 'messages are sent', 10_000);
    await app.close();
    closed = true;
    await Promise.all(senders);
    expect(failed.length).toBeGreaterThan(0);
    const next = await boot();
    const there = new Set(await numbersIn(next, 'rows'));
    expect(confirmed.filter((each) => !there.has(each))).toEqual([]);
  });

  it('a batch that gathers goes back at once, and one that is worked on is finished', async () => {
    const app = await boot({ providers: [Batches] });
    const send = (count: number): Promise<unknown> =>
      app.stream.sendBatch(
        'batches',
        Array.from({ length: count }, (_, number) => ({ payload: { number } })),
      );
    await send(10);
    await eventually(() => began.length === 1, 'the batch is worked on', 10_000);
    await send(4);
    const started = performance.now();
    await app.close();
    // Not the 60 s for which the other four would have waited for more.
    expect(performance.now() - started).toBeLessThan(15_000);
    expect([began, ended]).toEqual([[10], [10]]);
    const next = await boot();
    expect(await numbersIn(next, 'batches')).toEqual([0, 1, 2, 3]);
  });

  it('a handler that does not end is abandoned at the deadline, and its message comes again', async () => {
    let release = (): void => undefined;
    const app = await boot({ shutdownTimeout: 2_000 });
    await app.stream.sendData('rows', { number: 1 });
    let aborted = false;
    await app.stream.subscribe('rows', async (_message, { signal }) => {
      began.push(1);
      signal.addEventListener('abort', () => (aborted = true));
      await new Promise<void>((resolve) => (release = resolve));
    });
    await eventually(() => began.length === 1, 'the handler runs', 10_000);
    const started = performance.now();
    await app.close();
    expect(performance.now() - started).toBeGreaterThan(1_500);
    expect(performance.now() - started).toBeLessThan(15_000);
    expect(aborted).toBe(true);
    expect(log.texts('error').join('\n')).toMatch(
      /datastream\/rabbitmq: work in flight did not end within shutdownTimeout/,
    );
    release();
    const next = await boot();
    const [again] = await next.stream.pullBatch('rows', { max: 1, wait: 5_000 });
    expect(again).toMatchObject({ payload: { number: 1 }, attempt: 2, redelivered: true });
    await again?.ack();
  });
});
