import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { collect, rejectsWith } from '../../src/core/contract.js';
import { ArtifactsApi } from '../../src/mlops/drivers/mlflow/artifacts/artifacts.api.js';
import { TRANSPORT_DEFAULTS } from '../../src/mlops/drivers/mlflow/client/mlflow.client.options.js';
import { HttpTransport } from '../../src/mlops/drivers/mlflow/client/mlflow.transport.js';
import { PlayedServer, type Play } from './played-server.js';

const OWNER = { artifactUri: 'mlflow-artifacts:/1/run/artifacts' };
const PROXY = '/api/2.0/mlflow-artifacts/artifacts';

// Played, because MLflow itself lists no such names: whoever writes to its store directly could make it do so.
describe('a server that lists and sends what it should not', () => {
  let outer: string;
  let target: string;
  let server: PlayedServer;
  let transport: HttpTransport;
  let api: ArtifactsApi;
  let listed: (folder: string) => unknown[];
  let send: Play;

  beforeAll(async () => {
    server = await PlayedServer.start((request, response) => {
      const folder = (request.query.get('path') ?? '').replace(/^1\/run\/artifacts\/?/, '');
      return request.path === PROXY ? { files: listed(folder) } : send(request, response);
    });
    transport = new HttpTransport({
      uri: server.url,
      retry: { ...TRANSPORT_DEFAULTS.retry, attempts: 2, delay: 1 },
      requestTimeout: 2_000,
    });
    api = new ArtifactsApi(transport, { multipart: 'off' });
  });
  afterAll(async () => {
    await transport.close();
    await server.stop();
  });
  beforeEach(async () => {
    server.requests.length = 0;
    outer = await mkdtemp(join(tmpdir(), 'mlflow-hostile-'));
    target = join(outer, 'target');
    send = (_request, response) => void response.end('evil');
  });
  afterEach(() => rm(outer, { recursive: true, force: true }));

  it.each([
    '../escaped',
    '/escaped',
    '..',
    '.',
    '',
    'a/../../escaped',
    'a/b',
    '．．',
    '‥',
    '..\\escaped',
    'C:\\escaped',
    'x\0y',
  ])('nothing is made of the name %j', async (path) => {
    for (const is_dir of [false, true]) {
      listed = (folder) => (folder === '' || folder === 'in' ? [{ path, is_dir, file_size: 4 }] : []);
      for (const from of ['', 'in']) {
        await rejectsWith(() => api.download(OWNER, from, target), 'UNSUPPORTED', 'NOT_FOUND');
      }
    }
    listed = (folder) => (folder === '' ? [{ path: 'in', is_dir: true }] : [{ path, is_dir: true }]);
    await rejectsWith(() => api.download(OWNER, 'in', target), 'UNSUPPORTED');
    expect((await readdir(outer)).filter((name) => name !== 'target')).toEqual([]);
    expect((await readdir(target, { recursive: true }).catch(() => [])).filter((name) => name !== 'in')).toEqual([]);
  });

  it('entries that are no entries are refused, and a page token that comes back ends the list', async () => {
    for (const entry of [{}, { path: 3 }, { path: null, is_dir: true }]) {
      listed = () => [entry];
      await rejectsWith(() => api.list(OWNER), 'UNSUPPORTED');
    }
    const played = await PlayedServer.start(() => ({ files: [{ path: 'a' }], next_page_token: 'again' }));
    const other = new HttpTransport({ uri: played.url });
    expect(await new ArtifactsApi(other).list(OWNER)).toEqual([{ path: 'a', isDirectory: false, fileSize: 0 }]);
    expect(played.requests.map((request) => request.query.get('page_token'))).toEqual([null, 'again']);
    await other.close();
    await played.stop();
  });

  it('folders in folders without end are given up', async () => {
    listed = () => [{ path: 'd', is_dir: true }];
    await rejectsWith(() => api.download(OWNER, '', target), 'UNSUPPORTED');
    await rejectsWith(() => collect(api.listAll(OWNER)), 'UNSUPPORTED');
  });

  it('pages are put together', async () => {
    const played = await PlayedServer.start(({ query }) => {
      const page = Number(query.get('page_token') ?? 0);
      return {
        files: [{ path: `f${9 - page}`, file_size: page }],
        ...(page < 9 ? { next_page_token: `${page + 1}` } : {}),
      };
    });
    const other = new HttpTransport({ uri: played.url });
    const names = (await new ArtifactsApi(other).list(OWNER)).map((entry) => entry.path);
    expect(names).toEqual(Array.from({ length: 10 }, (_, i) => `f${i}`));
    expect(await collect(new ArtifactsApi(other).listAll(OWNER, '', { after: 'f6' }))).toHaveLength(3);
    await other.close();
    await played.stop();
  });

  it('links in the destination are not followed', async () => {
    await mkdir(target);
    await mkdir(join(outer, 'outside'));
    await writeFile(join(outer, 'secret'), 'secret');
    await symlink(join(outer, 'outside'), join(target, 'm'));
    await symlink(join(outer, 'secret'), join(target, 'f'));
    listed = (folder) =>
      folder === ''
        ? [
            { path: 'f', is_dir: false, file_size: 4 },
            { path: 'm', is_dir: true },
          ]
        : [{ path: 'x', is_dir: false, file_size: 4 }];
    await rejectsWith(() => api.download(OWNER, 'm/x', target), 'CONFLICT');
    await rejectsWith(() => api.download(OWNER, 'm', target), 'CONFLICT');
    await api.download(OWNER, 'f', target);
    expect(await readFile(join(outer, 'secret'), 'utf8')).toBe('secret');
    expect(await readFile(join(target, 'f'), 'utf8')).toBe('evil');
    expect(await readdir(join(outer, 'outside'))).toEqual([]);
    expect((await readdir(target)).toSorted()).toEqual(['f', 'm']);
  });

  it('a file of another size than listed, or another checksum than sent, is not kept', async () => {
    const content = Buffer.from('evil');
    const sha256 = createHash('sha256').update(content);
    const digest = sha256.digest();
    let headers: Record<string, string> = {};
    send = (_request, response) => void response.writeHead(200, headers).end(content);
    listed = () => [{ path: 'f', file_size: 5 }];
    await rejectsWith(() => api.download(OWNER, 'f', target), 'UNAVAILABLE');
    listed = () => [{ path: 'f', file_size: 4 }];
    for (const wrong of [
      { 'x-checksum-sha256': '0'.repeat(64) },
      { 'repr-digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:` },
      { 'content-md5': Buffer.alloc(16).toString('base64') },
    ]) {
      headers = wrong as unknown as Record<string, string>;
      await rejectsWith(() => api.download(OWNER, 'f', target), 'UNAVAILABLE');
    }
    expect(await readdir(target)).toEqual([]);
    headers = {
      'x-checksum-sha256': digest.toString('hex'),
      'content-digest': `sha-256=:${digest.toString('base64')}:`,
      etag: '"00000000000000000000000000000000"',
    };
    const { files } = await api.download(OWNER, 'f', target);
    expect(files).toEqual([{ path: 'f', localPath: join(target, 'f'), size: 4, sha256: digest.toString('hex') }]);
  });

  it('a transfer that breaks is begun anew, and one that always breaks leaves nothing', async () => {
    listed = () => [{ path: 'f', file_size: 200_000 }];
    const content = Buffer.alloc(200_000, 'x');
    let broken = 2;
    send = (_request, response) => {
      response.writeHead(200, { 'content-length': '200000' });
      if (broken-- <= 0) return void response.end(content);
      response.write(content.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 20));
      return undefined;
    };
    await api.download(OWNER, 'f', target);
    expect((await readFile(join(target, 'f'))).equals(content)).toBe(true);
    await rm(join(target, 'f'));
    broken = Infinity;
    await rejectsWith(() => api.download(OWNER, 'f', target), 'UNAVAILABLE');
    await rejectsWith(async () => buffer(await api.read(OWNER, 'f')), 'UNAVAILABLE');
    expect(await readdir(target)).toEqual([]);
  });

  it('an upload that breaks is sent again where its content can be had again', async () => {
    listed = () => [];
    let broken = 2;
    send = (_request, response) => (broken-- > 0 ? void response.destroy() : {});
    await api.upload(OWNER, 'bytes', Buffer.alloc(3_000_000, 'x'));
    expect(server.requests.filter(({ method }) => method === 'PUT').map(({ body }) => body.length)).toEqual([
      3_000_000, 3_000_000, 3_000_000,
    ]);
    broken = 1;
    await api.upload(OWNER, 'short', Readable.from(['short']));
    broken = 1;
    const long = Readable.from(Array.from({ length: 30 }, () => Buffer.alloc(100_000)));
    await rejectsWith(() => api.upload(OWNER, 'long', long), 'UNAVAILABLE');
    expect(server.requests.filter(({ path }) => path.endsWith('/long'))).toHaveLength(1);
  });

  it('a download that is stopped leaves nothing', async () => {
    listed = () => [{ path: 'f', file_size: 200_000 }];
    const controller = new AbortController();
    send = (_request, response) => {
      response.writeHead(200).write(Buffer.alloc(100_000));
      setTimeout(() => controller.abort(), 50);
      return undefined;
    };
    const { signal } = controller;
    await rejectsWith(() => api.download(OWNER, 'f', target, { signal }), 'ABORTED');
    expect(await readdir(target)).toEqual([]);
  });
});
