import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rejectsWith } from '../../src/core/contract.js';
import { ArtifactsApi, type ArtifactsOptions } from '../../src/mlops/drivers/mlflow/artifacts/artifacts.api.js';
import { TRANSPORT_DEFAULTS } from '../../src/mlops/drivers/mlflow/client/mlflow.client.options.js';
import { HttpTransport } from '../../src/mlops/drivers/mlflow/client/mlflow.transport.js';
import { fail, PlayedServer, type PlayedRequest } from './played-server.js';

const PART = 64 * 1024;
const OWNER = { artifactUri: 'mlflow-artifacts:/1/run/artifacts' };

// Played, because a server on a local disk answers 501 to all of this, and a real one needs S3 or the like behind it. The
// requests and answers are those of mlflow/server/handlers.py and mlflow/store/artifact/s3_artifact_repo.py.
describe('uploads in parts', () => {
  let folder: string;
  let store: PlayedServer;
  let server: PlayedServer;
  let transport: HttpTransport;
  /** Parts that the store got, by upload and number. */
  let parts: Map<string, Map<number, Buffer>>;
  /** Files that were put together, or sent whole. */
  let files: Map<string, Buffer>;
  let aborted: string[];
  /** What goes wrong at the store, by part number and attempt. */
  let trouble: (part: number, attempt: number) => number;
  let offered: boolean;
  let atMost: number;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mlflow-parts-'));
    store = await PlayedServer.start((request, response) => {
      const [, upload = '', number = ''] = request.path.split('/');
      const attempt = store.requests.filter((one) => one.path === request.path).length;
      const status = trouble(Number(number), attempt);
      if (status === 0) {
        response.destroy();
        return undefined;
      }
      if (status === 200) parts.get(upload)?.set(Number(number), request.body);
      response.statusCode = status;
      response.setHeader('etag', `"${createHash('md5').update(request.body).digest('hex')}"`).end();
      return undefined;
    });
    server = await PlayedServer.start((request, response) => {
      const [, step, dir] = /^\/api\/2\.0\/mlflow-artifacts\/mpu\/(\w+)\/(.*)$/.exec(request.path) ?? [];
      if (step === undefined) return whole(request);
      if (!offered) return fail(response, 501, 'NOT_IMPLEMENTED', 'Multipart upload is not supported');
      const body = JSON.parse(request.body.toString()) as {
        path: string;
        num_parts: number;
        upload_id: string;
        parts: { part_number: number; etag: string; url: string }[];
      };
      if (step === 'create') {
        const upload = `upload-${parts.size}`;
        parts.set(upload, new Map());
        const credentials = Array.from({ length: Math.min(body.num_parts, atMost) }, (_, i) => ({
          url: `${store.url}/${upload}/${i + 1}?X-Signature=s%2Fecret`,
          part_number: i + 1,
          headers: { 'x-of-the-store': 'yes' },
        }));
        return { upload_id: upload, credentials: credentials.reverse() };
      }
      const got = parts.get(body.upload_id) ?? new Map<number, Buffer>();
      if (step === 'abort') {
        aborted.push(body.upload_id);
        return {};
      }
      const etags = body.parts.map(({ part_number }) =>
        createHash('md5')
          .update(got.get(part_number) ?? '')
          .digest('hex'),
      );
      expect(body.parts.map((part) => part.etag)).toEqual(etags.map((etag) => `"${etag}"`));
      expect(body.parts.map((part) => part.part_number)).toEqual(body.parts.map((_, i) => i + 1));
      files.set(
        `${dir}/${body.path}`,
        Buffer.concat(body.parts.map((part) => got.get(part.part_number) ?? Buffer.from('?'))),
      );
      return {};
    });
    transport = new HttpTransport({
      uri: server.url,
      auth: { type: 'bearer', token: 'secret-token' },
      headers: { 'x-mine': 'secret-header' },
      retry: { ...TRANSPORT_DEFAULTS.retry, delay: 1, attempts: 4 },
    });
  });
  afterAll(async () => {
    await transport.close();
    await Promise.all([server.stop(), store.stop()]);
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    parts = new Map();
    files = new Map();
    aborted = [];
    trouble = () => 200;
    offered = true;
    atMost = Infinity;
  });
  afterEach(() => {
    for (const played of [server, store]) played.requests.length = 0;
  });

  const whole = (request: PlayedRequest): object => {
    const path = request.path.replace('/api/2.0/mlflow-artifacts/artifacts/', '');
    if (request.method === 'PUT') files.set(path, request.body);
    return {};
  };
  const apiWith = (options: ArtifactsOptions = {}) =>
    new ArtifactsApi(transport, { partSize: PART, multipartThreshold: 2 * PART, ...options });
  const stream = (content: Buffer) => {
    const pieces: Buffer[] = [];
    for (let at = 0; at < content.length; at += 50_000) pieces.push(content.subarray(at, at + 50_000));
    return Readable.from(pieces);
  };
  const stored = (name: string) => files.get(`1/run/artifacts/${name}`);

  it.each([2 * PART, 2 * PART + 1, 10 * PART - 1, 10 * PART])('a file of %i bytes arrives whole', async (size) => {
    const content = randomBytes(size);
    await writeFile(join(folder, 'ü b'), content);
    await apiWith().uploadFile(OWNER, join(folder, 'ü b'));
    expect(stored('ü b')?.equals(content)).toBe(true);
    expect(store.requests).toHaveLength(Math.ceil(size / PART));
    expect(server.requests.map((request) => request.path.split('/')[5])).toEqual(['create', 'complete']);
    expect(JSON.parse(server.requests[0]?.body.toString() ?? '')).toEqual({
      path: 'ü b',
      num_parts: Math.ceil(size / PART),
    });
  });

  it('the store gets its own headers, and none of ours', async () => {
    await apiWith().upload(OWNER, 'f', randomBytes(3 * PART));
    for (const { headers, query, body } of store.requests) {
      expect(headers).toMatchObject({ 'x-of-the-store': 'yes', 'content-length': String(body.length) });
      expect(JSON.stringify(headers)).not.toContain('secret');
      expect(query.get('X-Signature')).toBe('s/ecret');
    }
    expect(server.requests[0]?.headers.authorization).toBe('Bearer secret-token');
  });

  it('a stream of unknown length goes in parts when it is longer than one', async () => {
    const content = randomBytes(7 * PART + 11);
    await apiWith().upload(OWNER, 'long', stream(content));
    await apiWith().upload(OWNER, 'exact', stream(content.subarray(0, 2 * PART)));
    expect(stored('long')?.equals(content)).toBe(true);
    expect(stored('exact')?.equals(content.subarray(0, 2 * PART))).toBe(true);
    expect(store.requests).toHaveLength(10);
    await apiWith().upload(OWNER, 'short', stream(content.subarray(0, PART)));
    expect(stored('short')?.length).toBe(PART);
    expect(store.requests).toHaveLength(10);
  });

  it('a small file, and any when parts are switched off, is sent by one PUT', async () => {
    await apiWith().upload(OWNER, 'small', randomBytes(2 * PART - 1));
    await apiWith({ multipart: 'off' }).upload(OWNER, 'large', randomBytes(5 * PART));
    expect([stored('small')?.length, stored('large')?.length]).toEqual([2 * PART - 1, 5 * PART]);
    expect(server.requests.map((request) => request.method)).toEqual(['PUT', 'PUT']);
  });

  it('a server that offers no parts is asked once', async () => {
    offered = false;
    const api = apiWith();
    const content = randomBytes(9 * PART);
    for (const name of ['a', 'b', 'c']) await api.upload(OWNER, name, stream(content));
    for (const name of ['a', 'b', 'c']) expect(stored(name)?.equals(content)).toBe(true);
    expect(server.requests.map((request) => request.method)).toEqual(['POST', 'PUT', 'PUT', 'PUT']);
  });

  it('a part that fails is sent again', async () => {
    trouble = (part, attempt) => (attempt <= 2 && part % 2 === 0 ? (attempt === 1 ? 503 : 0) : 200);
    const content = randomBytes(6 * PART);
    await apiWith().upload(OWNER, 'f', stream(content));
    expect(stored('f')?.equals(content)).toBe(true);
    expect(aborted).toEqual([]);
  });

  it('what cannot be finished is given up, and no file appears', async () => {
    trouble = (part) => (part === 3 ? 403 : 200);
    await rejectsWith(() => apiWith().upload(OWNER, 'refused', randomBytes(6 * PART)), 'UNAUTHORIZED');
    trouble = () => 200;
    const failing = Readable.from(
      (function* () {
        for (let i = 0; i < 5; i += 1) yield randomBytes(PART);
        throw new Error('source broke');
      })(),
    );
    await rejectsWith(() => apiWith().upload(OWNER, 'broken', failing), 'PAYLOAD_INVALID');
    const controller = new AbortController();
    trouble = (part) => {
      if (part === 2) controller.abort();
      return 200;
    };
    const { signal } = controller;
    await rejectsWith(() => apiWith().upload(OWNER, 'stopped', randomBytes(6 * PART), { signal }), 'ABORTED');
    expect(aborted).toEqual(['upload-0', 'upload-1', 'upload-2']);
    expect(files.size).toBe(0);
  });

  it('content that needs more parts than the server gives URLs for is refused', async () => {
    atMost = 3;
    const error = await rejectsWith(
      () => apiWith().upload(OWNER, 'f', stream(randomBytes(4 * PART))),
      'PAYLOAD_INVALID',
    );
    expect(error.message).toContain('contentLength');
    expect([aborted.length, files.size]).toEqual([1, 0]);
  });
});
