import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Adversary, cut, silence } from '../../../../../test/mlflow/adversary.js';
import { rejectsWith } from '../../../../core/contract.js';
import type { HubError } from '../../../../core/errors.js';
import type { TransportOptions } from './mlflow.client.options.js';
import { MAX_RETRY_AFTER, retryAfterMs } from './mlflow.retry.js';
import { HttpTransport } from './mlflow.transport.js';
import type { JsonRequest } from './mlflow.transport.types.js';

const GET: JsonRequest = { method: 'GET', path: '/api/2.0/mlflow/runs/get' };
const POST: JsonRequest = { method: 'POST', path: '/api/2.0/mlflow/runs/create', body: { a: 1 } };
const retry = { attempts: 3, delay: 5, factor: 2, maxDelay: 20, jitter: 0, respectRetryAfter: true };

let server: Adversary;
const opened: HttpTransport[] = [];

const open = (options: Partial<TransportOptions> = {}): HttpTransport => {
  const transport = new HttpTransport({ retry, ...options, uri: options.uri ?? server.url });
  opened.push(transport);
  return transport;
};

beforeEach(async () => {
  server = await Adversary.start();
});
afterEach(async () => {
  for (const transport of opened.splice(0)) await transport.close();
  await server.stop();
});

describe('retries', () => {
  it('repeats a read after each of the passing statuses and after cuts', async () => {
    for (const status of [408, 429, 500, 502, 503, 504]) {
      server.next({ status, body: 'later' }, cut, { body: { status } });
      expect(await open().json(GET)).toEqual({ status });
    }
    expect(server.seen).toHaveLength(18);
  });

  it('gives up after its attempts, with the last error', async () => {
    server.always({ status: 503, body: 'full' });
    const error = await rejectsWith(() => open().json(GET), 'UNAVAILABLE');
    expect(error.details).toEqual({ status: 503, transient: true, attempts: 3 });
    expect(server.seen).toHaveLength(3);
    await rejectsWith(() => open().json({ ...GET, attempts: 1 }), 'UNAVAILABLE');
    expect(server.seen).toHaveLength(4);
  });

  it('sends a write once when it may have been done, and says so', async () => {
    for (const behaviour of [cut, { status: 500 }, { status: 502 }, { status: 503 }, { status: 504 }]) {
      server.seen.length = 0;
      server.next(behaviour);
      const error = await rejectsWith(() => open().json(POST), 'UNAVAILABLE');
      expect(error.details).toMatchObject({ maybeDone: true, transient: true });
      expect(server.seen).toHaveLength(1);
    }
  });

  it('repeats a write that surely was not done, or is repeatable', async () => {
    const putOff = { status: 503, headers: { 'retry-after': '0' } };
    server.next({ status: 429 }, putOff, { body: { done: 1 } });
    expect(await open().json(POST)).toEqual({ done: 1 });
    server.next(cut, { status: 500 }, { body: { done: 2 } });
    expect(await open().json({ ...POST, repeatable: true })).toEqual({ done: 2 });
  });

  it('finds a server that comes up while it waits; nothing was sent before', async () => {
    const { url } = server;
    await server.stop();
    const pending = open({ uri: url, retry: { ...retry, attempts: 50, factor: 1 } }).json(POST);
    const error = await rejectsWith(() => open({ uri: url }).json(POST), 'UNAVAILABLE');
    expect(error.details).toEqual({ transient: true, attempts: 3 });
    server = await Adversary.start({ port: Number(new URL(url).port) });
    expect(await pending).toEqual({});
    expect(server.seen).toHaveLength(1);
  });

  it('remembers that an early attempt may have been done', async () => {
    server.next(cut, (request) => {
      request.socket.destroy();
      void server.stop();
    });
    const error = await rejectsWith(() => open().json({ ...POST, repeatable: true }), 'UNAVAILABLE');
    expect(error.details).toMatchObject({ maybeDone: true, attempts: 3 });
    server = await Adversary.start();
  });

  it('waits as long as the server asks, unless that is too long or not wanted', async () => {
    const later = { status: 429, headers: { 'retry-after': '1' } };
    const began = performance.now();
    server.next(later);
    await open().json(GET);
    expect(performance.now() - began).toBeGreaterThan(950);
    server.next(later);
    const error = await rejectsWith(() => open({ deadline: 500 }).json(GET), 'UNAVAILABLE');
    expect(error.details).toMatchObject({ status: 429, retryAfter: 1_000 });
    server.next(later);
    const again = performance.now();
    await open({ retry: { ...retry, respectRetryAfter: false } }).json(GET);
    expect(performance.now() - again).toBeLessThan(500);
  });

  it('does not repeat what will not pass', async () => {
    for (const status of [400, 401, 403, 404, 409, 413, 501]) {
      server.next({ status, body: 'no' });
      expect((await rejectsAny(() => open().json(GET))).details).toMatchObject({ status });
    }
    expect(server.seen).toHaveLength(7);
  });
});

describe('time', () => {
  it('an attempt has a limit, and all of them a deadline', async () => {
    server.always(silence);
    const error = await rejectsWith(() => open({ requestTimeout: 100 }).json(POST), 'UNAVAILABLE');
    expect(error.details).toEqual({ transient: true, maybeDone: true, timedOut: true });
    expect(server.seen).toHaveLength(1);
    const began = performance.now();
    const all = await rejectsWith(() => open({ requestTimeout: 400 }).json({ ...GET, deadline: 600 }), 'UNAVAILABLE');
    expect(all.message).toContain('within 600 ms');
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(server.seen).toHaveLength(3);
  });

  it('a body that trickles does not outlive the limit', async () => {
    server.always((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    await rejectsWith(() => open({ requestTimeout: 150 }).json({ ...GET, attempts: 1 }), 'UNAVAILABLE');
  });

  it('a request that waits for a connection was not sent', async () => {
    server.always(silence);
    const transport = open({ connections: 1 });
    const first = transport.json(POST).catch((error: unknown) => error);
    const error = await rejectsWith(() => transport.json({ ...POST, deadline: 200 }), 'UNAVAILABLE');
    expect(error.details['maybeDone']).toBeUndefined();
    await rejectsWith(() => transport.json({ ...POST, signal: AbortSignal.timeout(50) }), 'ABORTED');
    await transport.close();
    expect(await first).toMatchObject({ code: 'CLOSED', details: { maybeDone: true } });
    expect(server.seen).toHaveLength(1);
  });

  it("the caller's signal ends a request, a wait and a download", async () => {
    const controller = new AbortController();
    server.always(silence);
    const pending = rejectsWith(() => open().json({ ...POST, signal: controller.signal }), 'ABORTED');
    await expect.poll(() => server.seen.length).toBe(1);
    controller.abort();
    expect((await pending).details['maybeDone']).toBe(true);
    await rejectsWith(() => open().json({ ...GET, signal: controller.signal }), 'ABORTED');
    expect(server.seen).toHaveLength(1);

    server.always({ status: 429, headers: { 'retry-after': '30' } });
    await rejectsWith(() => open().json({ ...GET, signal: AbortSignal.timeout(100) }), 'ABORTED');

    server.always((_request, response) => response.write('begin'));
    const reading = new AbortController();
    const { body } = await open().download({ ...GET, signal: reading.signal });
    await once(body, 'readable');
    reading.abort();
    await rejectsWith(() => body.toArray(), 'ABORTED');
  });

  it('closing gives up what is under way, and everything after it', async () => {
    server.always(silence);
    const transport = open();
    const pending = rejectsWith(() => transport.json(GET), 'CLOSED');
    await expect.poll(() => server.seen.length).toBe(1);
    await transport.close();
    await transport.close();
    await pending;
    await rejectsWith(() => transport.json(GET), 'CLOSED');
  });
});

async function rejectsAny(work: () => Promise<unknown>): Promise<HubError> {
  try {
    await work();
  } catch (error) {
    return error as HubError;
  }
  throw new Error('it did not reject');
}

describe('retryAfterMs', () => {
  it('reads seconds and dates, and bounds them', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(retryAfterMs('2', now)).toBe(2_000);
    expect(retryAfterMs('0.5', now)).toBe(500);
    expect(retryAfterMs('Thu, 01 Jan 2026 00:00:07 GMT', now)).toBe(7_000);
    expect(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0);
    expect(retryAfterMs('86400', now)).toBe(MAX_RETRY_AFTER);
    for (const header of [undefined, '', 'soon', '-1x']) expect(retryAfterMs(header, now)).toBeUndefined();
  });
});
