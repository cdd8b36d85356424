import { Injectable, Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { eventually, rejectsWith } from '../../src/core/contract.js';
import { OnData, type Message } from '../../src/index.js';
import { CANARY, tellsCanary } from '../support/canary.js';
import { LogListener } from '../support/log-listener.js';
import { freePort } from '../support/mlflow-server.js';
import { neededService } from '../support/needed-service.js';
import { brokerAt, brokerPort } from '../support/open-amqp.js';
import { RabbitBroker } from '../support/rabbit-broker.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { HubApp } from './hub-app.js';

const rabbit = neededService('rabbitmq');
const DEADLINE = 120_000;
const rows: unknown[] = [];

@Injectable()
class Rows {
  @OnData('rows', { createQueue: true })
  take({ payload }: Message): void {
    rows.push(payload);
  }
}

describe.skipIf(rabbit.missing)(`the hub on RabbitMQ${rabbit.note}`, () => {
  const apps: HubApp[] = [];
  const boot = async (...args: Parameters<typeof HubApp.boot>): Promise<HubApp> => {
    const app = await HubApp.boot(...args);
    apps.push(app);
    return app;
  };
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
    Logger.overrideLogger(false);
    rows.length = 0;
  });

  it(
    'required: false without a broker: boots degraded, and comes up by itself with its handlers',
    async () => {
      const port = await freePort();
      const config = { url: `amqp://hub:${encodeURIComponent(CANARY)}@127.0.0.1:${port}`, connectTimeout: 2_000 };
      // One for both: Nest's logger is that of the process.
      const log = new LogListener();
      const app = await boot({ required: false, config }, { providers: [Rows], health: { details: true }, log });
      const anonymous = await boot({ required: false, config }, { log });
      for (const one of [app, anonymous]) {
        const health = await one.health();
        expect(health).toMatchObject({ status: 200, body: { status: 'degraded' } });
        expect(health.body.details).toMatchObject({ mlops: { status: 'up' }, datastream: { status: 'degraded' } });
        expect((await one.health('/health/ready')).status).toBe(200);
        expect(tellsCanary(health, one.hub.plugins())).toBe(false);
      }
      expect((await anonymous.health()).body.details['datastream']).toEqual({ status: 'degraded' });
      expect((await app.health()).text).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}.*ECONNREFUSED`));
      const refused = await rejectsWith(() => app.stream.sendData('rows', 1), 'CLOSED', 'UNAVAILABLE');
      expect(tellsCanary(refused)).toBe(false);

      const broker = await RabbitBroker.create({ port });
      try {
        await broker.management.createUser('hub', CANARY);
        await broker.management.setPermissions('/', 'hub', { configure: '.*', write: '.*', read: '.*' });
        const up = async (): Promise<unknown> => (await app.health()).body.status;
        await vi.waitFor(async () => expect(await up()).toBe('ok'), { timeout: 60_000, interval: 100 });
        await app.stream.sendData('rows', { number: 1 });
        await eventually(() => rows.length === 1, 'the handler takes messages', 20_000);
        await vi.waitFor(async () => expect((await anonymous.health()).body.status).toBe('ok'), { timeout: 60_000 });
        expect(tellsCanary(await app.health(), app.hub.plugins(), log.lines)).toBe(false);
        const lines = (): string[] => log.texts('log', 'warn').filter((line) => line.includes('datastream/rabbitmq'));
        const saying = (words: RegExp): number => lines().filter((line) => words.test(line)).length;
        // It is told when everything that waited for it has begun.
        await eventually(() => saying(/^log .*is up after \d+ more attempt/) === 2, 'it is told', 20_000);
        expect(saying(/^warn .*did not start and is optional; trying again.*ECONNREF/)).toBe(2);
        // Beside them, one line of each application that says what is up.
        expect(lines(), lines().join('\n')).toHaveLength(6);
        expect(log.texts('error', 'fatal')).toEqual([]);
        await Promise.all(apps.splice(0).map((one) => one.close()));
        await vi.waitFor(async () => expect(await broker.connections()).toEqual([]), { timeout: 20_000 });
      } finally {
        await broker.remove();
      }
    },
    2 * DEADLINE,
  );

  it('required: true without a broker: the boot fails with the reason', async () => {
    const log = new LogListener();
    const url = `amqp://hub:${encodeURIComponent(CANARY)}@127.0.0.1:1`;
    const error = await rejectsWith(() => boot({ config: { url } }, { log }), 'UNAVAILABLE');
    expect(error.message).toMatch(/^\[datastream\/rabbitmq\] .*127\.0\.0\.1:1\/.*ECONNREFUSED/);
    expect(tellsCanary(error, log.lines)).toBe(false);
  });

  it('a boot that fails after the connection leaves nothing open', async () => {
    const vhost = await RabbitVhost.open('hub');
    const proxy = await TcpProxy.start(brokerPort());
    const url = vhost.url.replace(/:\d+\//, `:${proxy.port}/`);
    const bindings = [{ exchange: 'no-such', queue: 'rows' }];
    for (const [config, providers, code] of [
      [{ url, bindings }, [], 'NOT_FOUND'],
      [{ url, queues: [{ name: 'rows', maxLength: 7 }] }, [Rows], 'CONFLICT'],
      [{ url: brokerAt(proxy.port).replace(/\/\/.*@/, `//guest:${encodeURIComponent(CANARY)}@`) }, [], 'UNAUTHORIZED'],
    ] as const) {
      const log = new LogListener();
      const error = await rejectsWith(() => boot({ config }, { providers: [...providers], log }), code);
      expect(tellsCanary(error, log.lines)).toBe(false);
      await eventually(() => proxy.connections === 0, 'its connections are closed');
    }
    proxy.stop();
    await vhost.remove();
  });

  it('enabled: false: nothing is opened, and calls are PLUGIN_DISABLED', async () => {
    const proxy = await TcpProxy.start(brokerPort());
    const app = await boot({ enabled: false, config: { url: brokerAt(proxy.port) } }, { health: { details: true } });
    await rejectsWith(() => app.stream.sendData('rows', 1), 'PLUGIN_DISABLED');
    const health = await app.health();
    expect(health).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(health.body.details['datastream']).toEqual({ status: 'up', state: 'disabled' });
    expect(proxy.accepted).toBe(0);
    proxy.stop();
  });

  it('a broker that is lost and comes back: /health follows, says no more than it may, and handlers go on', async () => {
    const vhost = await RabbitVhost.open('hub');
    const proxy = await TcpProxy.start(brokerPort());
    await vhost.management.createUser(vhost.name, CANARY);
    const url = `amqp://${vhost.name}:${encodeURIComponent(CANARY)}@127.0.0.1:${proxy.port}/${vhost.name}`;
    const app = await boot({ config: { url } }, { providers: [Rows] });
    expect((await app.health()).body.details['datastream']).toEqual({ status: 'up' });
    proxy.refuse();
    proxy.cut();
    await vi.waitFor(async () => expect((await app.health()).status).toBe(503), { timeout: 10_000 });
    const down = await app.health();
    expect(down.body.details['datastream']).toEqual({ status: 'down' });
    expect(down.text).not.toMatch(/127\.0\.0\.1|amqp/);
    expect((await app.health('/health/ready')).status).toBe(503);
    expect((await app.health('/health/live')).status).toBe(200);
    const sent = app.stream.sendData('rows', 'sent while it was away');
    await proxy.accept();
    await sent;
    await eventually(() => rows.length === 1, 'the handler goes on', 20_000);
    await vi.waitFor(async () => expect((await app.health()).status).toBe(200), { timeout: 10_000 });
    expect(tellsCanary(down, app.log.lines, app.hub.plugins())).toBe(false);
    // Each connection that is lost and back, and the health that was asked for: no line for each consumer or attempt.
    expect(
      app.log
        .texts('warn')
        .map((line) => /connection "(.*)" to/.exec(line)?.[1])
        .sort(),
    ).toEqual(['experiment-hub consume', 'experiment-hub publish']);
    expect(app.log.texts('error')).toEqual([expect.stringContaining('datastream/rabbitmq is down')]);
    await app.close();
    await eventually(() => proxy.connections === 0, 'nothing is left open');
    proxy.stop();
    await vhost.remove();
  });
});
