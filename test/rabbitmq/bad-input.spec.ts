import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, rejectsWith } from '../../src/core/contract.js';
import { CANARY, tellsCanary } from '../support/canary.js';
import { neededService } from '../support/needed-service.js';
import { brokerAt, brokerPort } from '../support/open-amqp.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { PluginRoom } from './plugin-room.js';

const rabbit = neededService('rabbitmq');
/** Nobody listens there. */
const DEAF = 1;

describe.skipIf(rabbit.missing)(`a broker that cannot be reached or used${rabbit.note}`, () => {
  let room: PluginRoom;
  let vhost: RabbitVhost;
  beforeEach(async () => {
    room = new PluginRoom();
    vhost = await RabbitVhost.open('bad-input');
    await vhost.management.createUser(vhost.name, CANARY);
  });
  afterEach(async () => {
    await room.close();
    await vhost.remove();
  });

  /** The two ways of saying where the broker is; the password is right. */
  const byUrl = (port: number, host = '127.0.0.1', password = CANARY): { url: string } => ({
    url: `amqp://${vhost.name}:${encodeURIComponent(password)}@${host}:${port}/${vhost.name}`,
  });
  const byParts = (port: number, host = '127.0.0.1', password = CANARY) => {
    return { host, port, username: vhost.name, password, vhost: vhost.name };
  };
  const both = [
    ['url', byUrl],
    ['host, port, username, password', byParts],
  ] as const;

  it.each(both)('%s: a password full of special characters is right', async (_way, where) => {
    const plugin = await room.open(where(brokerPort()));
    await plugin.createQueue('letters');
    await plugin.sendData('letters', 1);
    expect((await plugin.queueInfo('letters')).ready).toBe(1);
    expect(tellsCanary(plugin, await plugin.healthCheck())).toBe(false);
  });

  it.each(both)('%s: wrong credentials are UNAUTHORIZED', async (_way, where) => {
    const wrong = `${CANARY}?`;
    const error = await room.refused(where(brokerPort(), '127.0.0.1', wrong), 'UNAUTHORIZED');
    expect(error.message).toMatch(/datastream\/rabbitmq.*127\.0\.0\.1.*ACCESS_REFUSED/);
    expect(error.details).toMatchObject({ replyCode: 403 });
  });

  it.each(both)(
    '%s: an unknown vhost is CONFIG_INVALID, one without a right to it is not up either',
    async (_, where) => {
      const unknown = { ...where(brokerPort()), vhost: 'no/such vhost' };
      if ('url' in unknown) unknown.url = unknown.url.replace(/[^/]*$/, 'no%2Fsuch%20vhost');
      const error = await room.refused(unknown, 'CONFIG_INVALID');
      expect(error.message).toMatch(/no%2Fsuch%20vhost: the broker refused the vhost/);
      const others = await RabbitVhost.open('bad-input');
      const foreign = { ...where(brokerPort()), vhost: others.name };
      if ('url' in foreign) foreign.url = foreign.url.replace(/[^/]*$/, others.name);
      expect((await room.refused(foreign, 'CONFIG_INVALID', 'UNAUTHORIZED')).message).toContain('no permission');
      await others.remove();
    },
  );

  it.each(both)('%s: nobody listens, or there is no such host: UNAVAILABLE', async (_way, where) => {
    expect((await room.refused(where(DEAF), 'UNAVAILABLE')).message).toMatch(/127\.0\.0\.1:1\/.*ECONNREFUSED/);
    const unresolved = await room.refused(where(brokerPort(), 'no-such-host.invalid'), 'UNAVAILABLE');
    expect(unresolved.message).toContain('no-such-host.invalid');
  });

  it.each(both)('%s: a network that swallows everything ends at connectTimeout', async (_way, where) => {
    const proxy = await TcpProxy.start(brokerPort());
    proxy.freeze();
    const error = await room.refused({ ...where(proxy.port), connectTimeout: 700 }, 'UNAVAILABLE');
    expect(error.message).toContain('within 700 ms');
    proxy.thaw();
    await eventually(() => proxy.connections === 0, 'nothing is left open');
    proxy.stop();
  });

  it('a list of nodes: the fault that no waiting mends is told', async () => {
    const wrong = byUrl(brokerPort(), '127.0.0.1', `${CANARY}?`).url;
    const error = await room.refused({ url: [byUrl(DEAF).url, wrong] }, 'UNAUTHORIZED');
    expect(error.message).toContain('ACCESS_REFUSED');
  });

  it('a port of something else than AMQP says so', async () => {
    const web = createServer().listen(0, '127.0.0.1');
    await once(web, 'listening');
    const error = await room.refused(byUrl((web.address() as AddressInfo).port), 'UNAVAILABLE', 'CONFIG_INVALID');
    web.close();
    expect(error.message).toContain('AMQP');
  });

  it('a user who is deleted meanwhile: calls fail by their deadline, and no line tells the password', async () => {
    const plugin = await room.open({ ...byUrl(brokerPort()), publishTimeout: 1_000, connectTimeout: 1_000 });
    await plugin.createQueue('letters');
    await vhost.management.deleteUser(vhost.name);
    await vhost.closeConnections().catch(() => undefined);
    const error = await rejectsWith(() => plugin.sendData('letters', 1), 'UNAVAILABLE');
    const info = await rejectsWith(() => plugin.queueInfo('letters'), 'UNAVAILABLE', 'UNAUTHORIZED');
    expect(tellsCanary(error, info, await plugin.healthCheck(), room.log.lines)).toBe(false);
  });

  it.each([
    `no url at all ${CANARY}`,
    `http://user:${encodeURIComponent(CANARY)}@127.0.0.1`,
    `amqp://user:${CANARY}@127.0.0.1/a/b`,
    `amqp://user:${encodeURIComponent(CANARY)}@127.0.0.1/?heartbeat=5`,
  ])('a url that is none is CONFIG_INVALID and is not quoted: %#', async (url) => {
    const error = await room.refused({ url }, 'CONFIG_INVALID');
    expect(error.message).toContain('config.url');
    await room.refused({ url: [brokerAt(brokerPort()), url] }, 'CONFIG_INVALID');
  });
});
