import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TcpProxy } from './tcp-proxy.js';

/** How long a silence is watched, in ms: a slow machine only makes it quieter. */
const SILENCE = 150;

describe('TCP proxy', () => {
  /** Answers everything with itself. */
  let target: Server;
  /** What it got and how many of its connections ended, since the test began. */
  let seen: { received: string; closed: number };
  let proxy: TcpProxy;
  let client: Socket;
  let answers: string;

  beforeEach(async () => {
    // A socket can report its close after its server did, in the next test.
    const own = { received: '', closed: 0 };
    seen = own;
    target = createServer((socket) => {
      socket.on('data', (chunk) => {
        own.received += chunk.toString();
        socket.write(chunk);
      });
      socket.on('error', () => undefined).on('close', () => (own.closed += 1));
    });
    await once(target.listen(0, '127.0.0.1'), 'listening');
    proxy = await TcpProxy.start((target.address() as AddressInfo).port);
    client = await open();
  });
  afterEach(async () => {
    client.destroy();
    proxy.stop();
    const ended = once(target, 'close');
    target.close();
    await ended;
  });

  async function open(): Promise<Socket> {
    answers = '';
    const socket = connect(proxy.port, '127.0.0.1');
    socket.on('error', () => undefined).on('data', (chunk) => (answers += chunk.toString()));
    await once(socket, 'connect');
    return socket;
  }

  it('hands on everything in order, the end too', async () => {
    const text = Array.from({ length: 200_000 }, (_, index) => `${index};`).join('');
    client.end(text);
    await once(client, 'close');
    expect(answers).toBe(text);
    await vi.waitFor(() => expect(proxy.connections).toBe(0));
    expect(seen.closed).toBe(1);
  });

  it('is silent while it is frozen, and loses nothing', async () => {
    client.write('a');
    await vi.waitFor(() => expect(answers).toBe('a'));
    proxy.freeze();
    client.write('b');
    const late = await open();
    late.write('c');
    await setTimeout(SILENCE);
    expect([seen.received, answers, client.closed, late.closed]).toEqual(['a', '', false, false]);
    proxy.thaw();
    await vi.waitFor(() => expect([...seen.received].sort().join('')).toBe('abc'));
    late.destroy();
  });

  it('freezes the answers alone: the server works and nobody hears of it', async () => {
    proxy.freeze('answers');
    client.write('lost');
    await vi.waitFor(() => expect(seen.received).toBe('lost'));
    await setTimeout(SILENCE);
    expect(answers).toBe('');
    proxy.cut();
    await once(client, 'close');
    proxy.thaw();
    client = await open();
    client.write('new');
    await vi.waitFor(() => expect(answers).toBe('new'));
  });

  it('does not tell of an end while it is frozen', async () => {
    proxy.freeze();
    client.destroy();
    await setTimeout(SILENCE);
    expect(seen.closed).toBe(0);
    proxy.thaw();
    await vi.waitFor(() => expect(seen.closed).toBe(1));
  });

  it('cuts both sides and takes new connections', async () => {
    client.write('a');
    await vi.waitFor(() => expect(answers).toBe('a'));
    proxy.cut();
    await once(client, 'close');
    await vi.waitFor(() => expect(seen.closed).toBe(1));
    client = await open();
    client.write('b');
    await vi.waitFor(() => expect(answers).toBe('b'));
    expect(proxy.accepted).toBe(2);
  });

  it('refuses and accepts again at the same port, with open connections left alone', async () => {
    proxy.refuse();
    await expect(open()).rejects.toThrow('ECONNREFUSED');
    client.write('a');
    await vi.waitFor(() => expect(seen.received).toBe('a'));
    await proxy.accept();
    client.destroy();
    client = await open();
    client.write('b');
    await vi.waitFor(() => expect(answers).toBe('b'));
  });

  it('delays by the latency', async () => {
    proxy.latency = 60;
    const from = performance.now();
    client.write('a');
    await vi.waitFor(() => expect(answers).toBe('a'), { interval: 5 });
    // Node's timers round down by up to 1 ms.
    expect(performance.now() - from).toBeGreaterThanOrEqual(118);
  });
});
