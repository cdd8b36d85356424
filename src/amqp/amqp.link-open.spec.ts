import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { amqpLink, brokerAt, brokerPort } from '../../test/support/open-amqp.js';
import { neededService } from '../../test/support/needed-service.js';
import { makeCertificates } from '../../test/support/rabbit-certificates.js';
import { TcpProxy } from '../../test/support/tcp-proxy.js';
import { eventually, rejectsWith } from '../core/contract.js';
import type { HubErrorCode } from '../core/errors.js';
import type { AmqpOptions } from './amqp.options.js';

const rabbit = neededService('rabbitmq');
const PORT_OF_NOBODY = 1;

describe.skipIf(rabbit.missing)(`a link that opens${rabbit.note}`, () => {
  const servers: Server[] = [];
  const sockets: Socket[] = [];

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  });

  async function listen(server: Server): Promise<number> {
    servers.push(server.on('connection', (socket: Socket) => sockets.push(socket)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  /** The error of a link that does not open. */
  async function refused(options: Partial<AmqpOptions>, ...codes: HubErrorCode[]): Promise<string> {
    const { link, log } = amqpLink(options);
    const started = performance.now();
    const error = await rejectsWith(() => link.open(), ...codes);
    expect(performance.now() - started).toBeLessThan((options.connectTimeout ?? 10_000) + 5_000);
    expect(link.up).toBe(false);
    expect(link.fault).toBe(error.message);
    await link.close();
    expect(log.lines).toEqual([]);
    expect(JSON.stringify([error, log.debugLines])).not.toContain('s3cret');
    return error.message;
  }

  it('says which credentials were refused, and not what they are', async () => {
    const message = await refused({ url: brokerAt(brokerPort()).replace(/\/\/.*@/, '//bob:s3cret@') }, 'UNAUTHORIZED');
    expect(message).toMatch(/^\[test\/amqp\] .*amqp:\/\/127\.0\.0\.1:\d+\/: ACCESS_REFUSED/);
  });

  it('takes a vhost that does not exist for a fault of the configuration', async () => {
    expect(await refused({ url: `${brokerAt(brokerPort()).replace(/\/+$/, '')}/no%2Fsuch` }, 'CONFIG_INVALID')).toMatch(
      /no%2Fsuch: the broker refused the vhost/,
    );
  });

  it('is refused where nobody listens, and where no such host is', async () => {
    expect(await refused({ url: brokerAt(PORT_OF_NOBODY) }, 'UNAVAILABLE')).toContain('ECONNREFUSED');
    expect(await refused({ url: 'amqp://no-such-host.invalid' }, 'UNAVAILABLE')).toContain('no-such-host.invalid');
    expect(await refused({ url: undefined, host: '127.0.0.1', port: PORT_OF_NOBODY }, 'UNAVAILABLE')).toContain(
      'amqp://127.0.0.1:1/',
    );
  });

  it('gives up on a peer that accepts and then is silent', async () => {
    const port = await listen(createServer((socket) => socket.on('error', () => socket.destroy())));
    const message = await refused({ url: brokerAt(port), connectTimeout: 300 }, 'UNAVAILABLE');
    expect(message).toMatch(/within 300 ms/);
  });

  it('gives up on a peer that sends a byte from time to time', async () => {
    const port = await listen(
      createServer((socket) => {
        const drip = setInterval(() => socket.write(Buffer.from([1])), 50);
        socket.on('error', () => undefined).on('close', () => clearInterval(drip));
      }),
    );
    expect(await refused({ url: brokerAt(port), connectTimeout: 300 }, 'UNAVAILABLE')).toMatch(/within 300 ms/);
  });

  it('tells a broker that is about to start from one that speaks TLS', async () => {
    const port = await listen(createServer((socket) => socket.end()));
    const message = await refused({ url: brokerAt(port) }, 'UNAVAILABLE');
    expect(message).toContain('closed the connection before it was open');
  });

  it('says which side lacks TLS, and that a certificate is not trusted', async () => {
    const tls = brokerAt(brokerPort()).replace('amqp:', 'amqps:');
    expect(await refused({ url: tls }, 'CONFIG_INVALID')).toMatch(/does not speak TLS there \(wrong version number\)/);

    const folder = await mkdtemp(join(tmpdir(), 'hub-amqp-'));
    try {
      const files = await makeCertificates(folder);
      const [cert, key] = await Promise.all([readFile(files.serverCert), readFile(files.serverKey)]);
      const server = createTlsServer({ cert, key }, (socket) => socket.on('error', () => socket.destroy()));
      server.on('tlsClientError', () => undefined);
      const port = await listen(server);
      expect(await refused({ url: brokerAt(port) }, 'CONFIG_INVALID')).toContain(
        'that port speaks TLS. Write amqps://',
      );
      const secure = brokerAt(port).replace('amqp:', 'amqps:');
      expect(await refused({ url: secure }, 'CONFIG_INVALID')).toContain('tls.ca');
      const silent = { url: secure, tls: { ca: files.ca }, connectTimeout: 300 };
      expect(await refused(silent, 'UNAVAILABLE')).toMatch(/within 300 ms/);
      const foreign = { url: secure, tls: { ca: files.ca, servername: 'other.example' } };
      expect(await refused(foreign, 'CONFIG_INVALID')).toContain('other.example');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('takes the first node that answers, and names the fault that tells most when none does', async () => {
    const down = [brokerAt(PORT_OF_NOBODY), brokerAt(PORT_OF_NOBODY)];
    const { link } = amqpLink({ url: [...down, brokerAt(brokerPort())] });
    await link.open();
    expect(link.up).toBe(true);
    await link.close();
    const wrong = brokerAt(brokerPort()).replace(/\/\/.*@/, '//bob:s3cret@');
    expect(await refused({ url: [wrong, ...down] }, 'UNAUTHORIZED')).toContain('ACCESS_REFUSED');
  });

  it('leaves time for the others when one node hangs', async () => {
    const proxy = await TcpProxy.start(brokerPort());
    proxy.freeze();
    const { link } = amqpLink({ url: [brokerAt(proxy.port), brokerAt(brokerPort())], connectTimeout: 4_000 });
    await link.open();
    expect(link.up).toBe(true);
    await link.close();
    proxy.stop();
  });

  it('opens after it failed, opens once when asked twice, and never after it is closed', async () => {
    const proxy = await TcpProxy.start(brokerPort());
    proxy.refuse();
    const { link } = amqpLink({ url: brokerAt(proxy.port) });
    await rejectsWith(() => link.open(), 'UNAVAILABLE');
    await proxy.accept();
    await Promise.all([link.open(), link.open()]);
    await link.open();
    expect(proxy.accepted).toBe(1);
    await Promise.all([link.close(), link.close()]);
    await rejectsWith(() => link.open(), 'CLOSED');
    await rejectsWith(() => link.channel(), 'CLOSED');
    await rejectsWith(() => link.whenUp(1_000), 'CLOSED');
    proxy.stop();
  });

  it('is closed while it opens', async () => {
    const proxy = await TcpProxy.start(brokerPort());
    proxy.freeze();
    const { link } = amqpLink({ url: brokerAt(proxy.port) });
    const opening = rejectsWith(() => link.open(), 'CLOSED');
    await eventually(() => proxy.connections > 0, 'it connects');
    await link.close();
    await opening;
    proxy.stop();
  });
});
