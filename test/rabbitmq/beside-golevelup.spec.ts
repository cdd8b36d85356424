import {
  AmqpConnection,
  Nack,
  RabbitMQModule,
  RabbitRPC,
  RabbitSubscribe,
  requeueErrorHandler,
} from '@golevelup/nestjs-rabbitmq';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, type OnModuleDestroy, type Type } from '@nestjs/common';
import { connect, type ChannelModel } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import { DataStreamPlugin, OnData, type Message } from '../../src/index.js';
import { LogListener } from '../support/log-listener.js';
import { neededService } from '../support/needed-service.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { HubApp } from './hub-app.js';

const rabbit = neededService('rabbitmq');
const UUID = /^[0-9a-f-]{36}$/;

/** What the handlers of either side got. */
const got: Record<string, unknown[]> = {};
const note = (name: string, value: unknown): void => void (got[name] ??= []).push(value);

@Injectable()
class HubHandlers {
  @OnData('for-hub')
  take({ payload, messageId, headers }: Message): void {
    note('hub', { payload, messageId, headers });
  }
}

@Injectable()
class GolevelupHandlers {
  constructor(private readonly stream: DataStreamPlugin) {}

  @RabbitSubscribe({ queue: 'for-golevelup', createQueueIfNotExists: false })
  take(payload: unknown): void {
    note('golevelup', payload);
  }

  @RabbitSubscribe({ queue: 'poison', createQueueIfNotExists: false, errorHandler: requeueErrorHandler })
  fail(payload: unknown): void {
    note('poison', payload);
    throw new Error('not today');
  }

  @RabbitSubscribe({ queue: 'nacked', createQueueIfNotExists: false })
  nack(): Nack {
    return new Nack();
  }

  @RabbitSubscribe({ queue: 'relay', createQueueIfNotExists: false })
  async relay(payload: number): Promise<void> {
    note('relay', payload);
    await delay(300);
    await this.stream.sendData('relayed', payload, { messageId: `relayed-${payload}` });
  }

  @RabbitRPC({ exchange: 'calls', routingKey: 'double', queue: 'doubles' })
  double(value: number): number {
    return 2 * value;
  }
}

const QUEUES = ['for-hub', 'for-golevelup', 'nacked', 'relay', 'relayed'].map((name) => ({ name }));
const queues = [...QUEUES, { name: 'poison', deliveryLimit: 3 }];

/** What docs/adr/0004 tells to add: golevelup's own `close()` lets its consumers take messages that it then drops. */
@Injectable()
class StopConsuming implements OnModuleDestroy {
  constructor(private readonly golevelup: AmqpConnection) {}

  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.golevelup.consumerTags.map((tag) => this.golevelup.cancelConsumer(tag)));
  }
}

describe.skipIf(rabbit.missing)(`the hub beside golevelup’s RabbitMQModule${rabbit.note}`, () => {
  let vhost: RabbitVhost;
  let outside: ChannelModel;
  let log: LogListener;
  const apps: HubApp[] = [];

  beforeAll(async () => {
    vhost = await RabbitVhost.open('beside');
    outside = await connect(vhost.url);
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
    Logger.overrideLogger(false);
    for (const name of Object.keys(got)) delete got[name];
  });
  afterAll(async () => {
    await outside.close();
    await vhost.remove();
  });

  async function boot(providers: Type[] = [HubHandlers, GolevelupHandlers]): Promise<HubApp> {
    log = new LogListener();
    const golevelup = RabbitMQModule.forRoot({
      uri: vhost.url,
      exchanges: [{ name: 'calls', type: 'topic' }],
      connectionInitOptions: { wait: true, timeout: 10_000 },
    });
    const app = await HubApp.boot({ config: { url: vhost.url, queues } }, { providers, imports: [golevelup], log });
    apps.push(app);
    return app;
  }
  /** Names of the connections to the vhost, as the management API shows them: up to some seconds late. */
  const connections = async (): Promise<string[]> => {
    const path = `vhosts/${encodeURIComponent(vhost.name)}/connections`;
    const rows = (await vhost.management.call('GET', path)) as { client_properties?: { connection_name?: string } }[];
    return rows.map((row) => row.client_properties?.connection_name ?? 'unnamed').sort();
  };

  it('both take messages, each on connections of its own, and closing is clean', async () => {
    const app = await boot();
    const golevelup = app.app.get(AmqpConnection);
    const ours = (): Promise<string[]> =>
      connections().then((names) => names.filter((name) => /^experiment-hub/.test(name)));
    await vi.waitFor(async () => expect(await ours()).toEqual(['experiment-hub consume', 'experiment-hub publish']), {
      timeout: 15_000,
    });
    // That of the test and golevelup's.
    expect((await connections()).length).toBe(4);
    await app.stream.sendData('for-golevelup', { from: 'the hub' }, { headers: { tenant: 'a' } });
    await golevelup.publish('', 'for-hub', { from: 'golevelup' });
    const named = { messageId: 'm-1', contentType: 'application/json', headers: { tenant: 'a' } };
    await golevelup.publish('', 'for-hub', { from: 'golevelup' }, named);
    await eventually(
      () => got['golevelup']?.length === 1 && got['hub']?.length === 2,
      'both have their messages',
      10_000,
    );
    expect(got['golevelup']).toEqual([{ from: 'the hub' }]);
    const [plain, dressed] = got['hub'] as Message[];
    expect(plain).toMatchObject({
      payload: { from: 'golevelup' },
      headers: {},
      messageId: expect.stringMatching(UUID),
    });
    expect(dressed).toEqual({ payload: { from: 'golevelup' }, headers: { tenant: 'a' }, messageId: 'm-1' });
    expect(await golevelup.request({ exchange: 'calls', routingKey: 'double', payload: 21 as never })).toBe(42);
    await app.close();
    expect(log.texts('error', 'fatal', 'warn')).toEqual([]);
    await vi.waitFor(async () => expect(await connections()).toEqual(['unnamed']), { timeout: 15_000 });
  });

  it('a handler of golevelup’s that requeues or nacks ends among the dead letters of the hub', async () => {
    const app = await boot();
    await app.stream.sendData('poison', { bad: 1 }, { messageId: 'poison' });
    await app.stream.sendData('nacked', { bad: 2 }, { messageId: 'nacked' });
    const dead = async (queue: string): Promise<boolean> => (await app.stream.queueInfo(queue)).deadLetters === 1;
    await eventually(async () => (await dead('poison')) && (await dead('nacked')), 'both are dead letters', 10_000);
    expect(got['poison']).toHaveLength(3);
    expect(await app.stream.peekDeadLetters('poison')).toMatchObject([
      { messageId: 'poison', payload: { bad: 1 }, reason: 'delivery-limit', attempt: 3 },
    ]);
    expect(await app.stream.peekDeadLetters('nacked')).toMatchObject([{ messageId: 'nacked', reason: 'rejected' }]);
  });

  it('a connection that the broker closes comes back on both sides', async () => {
    const app = await boot();
    await vhost.closeConnections();
    outside.on('error', () => undefined);
    outside = await connect(vhost.url);
    await app.stream.sendData('for-golevelup', { after: 'the cut' });
    await vi.waitFor(
      async () => {
        await app.app.get(AmqpConnection).publish('', 'for-hub', { after: 'the cut' });
        expect([got['hub']?.length ?? 0, got['golevelup']?.length ?? 0]).toEqual([expect.any(Number), 1]);
        expect(got['hub']?.length).toBeGreaterThan(0);
      },
      { timeout: 15_000, interval: 200 },
    );
  });

  it('a handler of golevelup’s that sends through the hub while the application closes loses nothing', async () => {
    const app = await boot([HubHandlers, GolevelupHandlers, StopConsuming]);
    const all = Array.from({ length: 20 }, (_, number) => number);
    for (const number of all) await app.stream.sendData('relay', number);
    await eventually(() => (got['relay']?.length ?? 0) > 0, 'handlers run', 10_000);
    await app.close();
    const next = await HubApp.boot({ config: { url: vhost.url } });
    apps.push(next);
    const relayed = await next.stream.pullBatch('relayed', { max: 1_000, wait: 500, ack: 'auto' });
    const left = await next.stream.pullBatch('relay', { max: 1_000, wait: 500, ack: 'auto' });
    const found = new Set([...relayed, ...left].map(({ payload }) => payload as number));
    expect([...found].sort((a, b) => a - b)).toEqual(all);
    expect(log.texts('error', 'warn')).toEqual([]);
  });

  it('an application that closes leaves the hub of another one alone, and so the other way round', async () => {
    const first = await boot([HubHandlers]);
    const second = await HubApp.boot({ config: { url: vhost.url } });
    apps.push(second);
    await first.close();
    await second.stream.sendData('for-hub', 'still here');
    expect((await second.health()).status).toBe(200);
    expect((await second.stream.pullData('for-hub', { wait: 5_000, ack: 'auto' }))?.payload).toBe('still here');
  });

  it('without RabbitMQModule, @RabbitSubscribe is not attached by the hub', async () => {
    const app = await HubApp.boot(
      { config: { url: vhost.url, queues } },
      { providers: [HubHandlers, GolevelupHandlers] },
    );
    apps.push(app);
    expect(await app.stream.queueInfo('for-golevelup')).toMatchObject({ consumers: 0 });
    expect(await app.stream.queueInfo('for-hub')).toMatchObject({ consumers: 1 });
  });
});
