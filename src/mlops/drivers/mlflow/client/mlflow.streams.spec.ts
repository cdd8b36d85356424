import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Adversary } from '../../../../../test/mlflow/adversary.js';
import { rejectsWith } from '../../../../core/contract.js';
import type { HubError } from '../../../../core/errors.js';
import type { TransportOptions } from './mlflow.client.options.js';
import { HttpTransport } from './mlflow.transport.js';
import type { JsonRequest } from './mlflow.transport.types.js';

const GET: JsonRequest = { method: 'GET', path: '/api/2.0/mlflow/runs/get' };
const retry = { attempts: 3, delay: 5, factor: 2, maxDelay: 20, jitter: 0, respectRetryAfter: true };

let server: Adversary;
let other: Adversary;
const opened: HttpTransport[] = [];

const open = (options: Partial<TransportOptions> = {}): HttpTransport => {
  const transport = new HttpTransport({ retry, ...options, uri: options.uri ?? server.url });
  opened.push(transport);
  return transport;
};
/** Everything of an error that somebody may see. */
const shown = (error: HubError): string =>
  `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;

beforeEach(async () => {
  server = await Adversary.start();
  other = await Adversary.start();
});
afterEach(async () => {
  for (const transport of opened.splice(0)) await transport.close();
  await server.stop();
  await other.stop();
});

describe('uploads and downloads', () => {
  const PUT = { method: 'PUT', path: '/api/2.0/mlflow-artifacts/artifacts/1/a' } as const;
  const ARTIFACT = { method: 'GET', path: PUT.path } as const;

  it('sends a buffer, a stream and nothing', async () => {
    server.always({ headers: { ETag: '"1"' } });
    const answer = await open().upload({ ...PUT, body: () => Buffer.from('bytes'), contentLength: 5 });
    expect(answer['etag']).toBe('"1"');
    await open().upload({ ...PUT, body: () => Readable.from([Buffer.from('st'), Buffer.from('ream')]) });
    await open().upload({ ...PUT, body: () => Buffer.alloc(0), contentLength: 0 });
    expect(server.seen.map(({ body }) => body)).toEqual(['bytes', 'stream', '']);
    expect(server.seen.map(({ headers }) => headers['content-length'] ?? headers['transfer-encoding'])).toEqual([
      '5',
      'chunked',
      '0',
    ]);
  });

  it('makes the body anew for each attempt, and not while no server answers', async () => {
    let made = 0;
    const body = () => Readable.from([Buffer.from(`attempt ${(made += 1)}`)]);
    server.next({ status: 503 });
    await open().upload({ ...PUT, body, repeatable: true });
    expect(server.seen.map((request) => request.body)).toEqual(['attempt 1', 'attempt 2']);
    const { url } = other;
    await other.stop();
    await rejectsWith(() => open({ uri: url }).upload({ ...PUT, body }), 'UNAVAILABLE');
    expect(made).toBe(2);
    other = await Adversary.start();
  });

  it('a source that fails or has another length is the fault of the caller, and lets go of the source', async () => {
    const failing = new Readable({ read: () => undefined });
    const upload = open().upload({ ...PUT, body: () => failing, repeatable: true });
    void setTimeout(20).then(() => failing.destroy(new Error('disk is gone')));
    expect((await rejectsWith(() => upload, 'INVALID_ARGUMENT')).message).toContain('disk is gone');
    await rejectsWith(
      () => open().upload({ ...PUT, body: () => Buffer.from('abc'), contentLength: 9 }),
      'INVALID_ARGUMENT',
    );
    expect(server.seen).toEqual([]);
  });

  it('a source is destroyed when the server refuses half-way', async () => {
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(1024));
      },
    });
    const refusing = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end('HTTP/1.1 413 No\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig'));
    }).listen(0, '127.0.0.1');
    await once(refusing, 'listening');
    const { port } = refusing.address() as AddressInfo;
    const error = await rejectsAny(() =>
      open({ uri: `http://127.0.0.1:${port}` }).upload({ ...PUT, body: () => endless }),
    );
    expect(['PAYLOAD_INVALID', 'UNAVAILABLE']).toContain(error.code);
    await expect.poll(() => endless.destroyed).toBe(true);
    refusing.close();
  });

  it('a large body flows in both directions without being held', async () => {
    const size = 64 * 1024 * 1024;
    const chunk = Buffer.alloc(64 * 1024, 7);
    server.always((_request, response) => {
      let left = size / chunk.length;
      Readable.from(
        (function* () {
          while ((left -= 1) >= 0) yield chunk;
        })(),
      ).pipe(response);
    });
    const { body, contentLength } = await open().download(ARTIFACT);
    expect(contentLength).toBeNull();
    let got = 0;
    let most = 0;
    for await (const part of body as AsyncIterable<Buffer>) {
      got += part.length;
      most = Math.max(most, body.readableLength);
      if (got % (8 * 1024 * 1024) === 0) await setTimeout(5);
    }
    expect(got).toBe(size);
    expect(most).toBeLessThan(1024 * 1024);
  });

  it('a download that breaks or stalls fails, however it began', async () => {
    const half = { 'content-length': '10' };
    server.next((_request, response) => {
      response.writeHead(200, half).write('half');
      void setTimeout(30).then(() => response.destroy());
    });
    const broken = await open().download(ARTIFACT);
    expect(broken.contentLength).toBe(10);
    await rejectsWith(() => broken.body.toArray(), 'UNAVAILABLE');
    server.next((_request, response) => response.writeHead(200, half).write('half'));
    // undici's own timers for this tick twice a second.
    const stalled = await open({ requestTimeout: 300 }).download(ARTIFACT);
    await rejectsWith(() => stalled.body.toArray(), 'UNAVAILABLE');
  });

  it('an upload that the server does not take in stalls, one that goes on does not', async () => {
    const deaf = createServer((socket) => socket.on('error', () => undefined).pause()).listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const { port } = deaf.address() as AddressInfo;
    const transport = open({ uri: `http://127.0.0.1:${port}`, requestTimeout: 300 });
    const body = () => Readable.from(Array.from({ length: 400 }, () => Buffer.alloc(64 * 1024)));
    const error = await rejectsWith(() => transport.upload({ ...PUT, body }), 'UNAVAILABLE');
    expect(error.details).toMatchObject({ maybeDone: true });
    await transport.close();
    deaf.close();
    const slow = async function* () {
      for (let i = 0; i < 8; i += 1) {
        yield Buffer.from('part');
        await setTimeout(150);
      }
    };
    await open({ requestTimeout: 300 }).upload({ ...PUT, body: () => Readable.from(slow()) });
    expect(server.seen.at(-1)?.body).toBe('part'.repeat(8));
  });

  it('a missing artifact that a server reports as a 500 is NOT_FOUND at once', async () => {
    const message = "[Errno 2] No such file or directory: 'a'";
    server.always({ status: 500, body: { error_code: 'INTERNAL_ERROR', message } });
    await rejectsWith(() => open().download(ARTIFACT), 'NOT_FOUND');
    expect(server.seen).toHaveLength(1);
    // In words that nobody knows: not for long.
    server.always({ status: 500, body: { error_code: 'INTERNAL_ERROR', message: 'nope' } });
    await rejectsWith(() => open({ retry: { ...retry, attempts: 9 } }).download(ARTIFACT), 'UNAVAILABLE');
    expect(server.seen).toHaveLength(3);
  });

  it('another server gets no credentials and none of the headers', async () => {
    const transport = open({
      uri: server.url.replace('//', '//user:p4ssword@'),
      headers: { 'x-secret': 'secret-header' },
      workspace: 'w',
    });
    await transport.json(GET);
    expect(server.seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from('user:p4ssword').toString('base64')}`);
    const foreignUrl = `${other.url}/bucket/a?signature=s1gn`;
    const headers = { 'x-amz-meta': '1' };
    await transport.upload({ ...PUT, foreignUrl, headers, body: () => Buffer.from('x'), contentLength: 1 });
    await (await transport.download({ ...ARTIFACT, foreignUrl })).body.toArray();
    // Even at the same origin.
    await (await transport.download({ ...ARTIFACT, foreignUrl: `${server.url}/x` })).body.toArray();
    for (const seen of [...other.seen, ...server.seen.slice(1)]) {
      expect(JSON.stringify(seen.headers)).not.toMatch(/authorization|secret|workspace/);
    }
    expect(other.seen.map(({ url }) => url)).toEqual(['/bucket/a?signature=s1gn', '/bucket/a?signature=s1gn']);
    expect(other.seen[0]?.headers['x-amz-meta']).toBe('1');
    other.always({ status: 403, body: '<Error>denied</Error>' });
    expect(
      shown(await rejectsWith(() => transport.download({ ...ARTIFACT, foreignUrl }), 'UNAUTHORIZED')),
    ).not.toContain('s1gn');
    await rejectsWith(() => transport.download({ ...ARTIFACT, foreignUrl: 'file:///etc/passwd' }), 'INVALID_ARGUMENT');
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
