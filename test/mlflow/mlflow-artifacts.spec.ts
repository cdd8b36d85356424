import { createHash, randomBytes } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { collect, rejectsWith } from '../../src/core/contract.js';
import { ArtifactsApi } from '../../src/mlops/drivers/mlflow/artifacts/artifacts.api.js';
import { HttpTransport } from '../../src/mlops/drivers/mlflow/client/mlflow.transport.js';
import { MLflowServer } from '../support/mlflow-server.js';
import { python, skipReason } from './mlflow-python.js';
import { pseudoRandom } from './pseudo-random.js';

const MIB = 1024 * 1024;

/** Greatest growth of the process's memory while `work` runs, in MiB. */
async function memoryDuring(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage().rss;
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 5);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return (most - before) / MIB;
}

describe.skipIf(python === undefined)(`artifacts on a real MLflow server${skipReason}`, () => {
  let folder: string;
  let server: MLflowServer;
  let transport: HttpTransport;
  let api: ArtifactsApi;
  let runId: string;
  let run: { runId: string };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mlflow-artifacts-'));
    server = await MLflowServer.start(python ?? '', folder, {
      args: ['--default-artifact-root', 'mlflow-artifacts:/'],
      // Newer servers refuse locations at other hosts; older ones do not.
      env: { MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES: 'mlflow-artifacts' },
    });
    transport = new HttpTransport({ uri: server.url });
    api = new ArtifactsApi(transport, { origin: server.url });
  }, 200_000);
  beforeEach(async () => {
    runId = await newRun('0');
    run = { runId };
  });
  afterAll(async () => {
    await transport?.close();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const newRun = async (experimentId: string): Promise<string> => {
    const body = { experiment_id: experimentId, start_time: Date.now() };
    const answer = await transport.json<{ run: { info: { run_id: string } } }>({
      method: 'POST',
      path: '/api/2.0/mlflow/runs/create',
      body,
    });
    return answer.run.info.run_id;
  };
  const newExperiment = async (name: string, location: string): Promise<string> => {
    const path = '/api/2.0/mlflow/experiments/create';
    const body = { name, artifact_location: location };
    return (await transport.json<{ experiment_id: string }>({ method: 'POST', path, body })).experiment_id;
  };
  const bytesOf = async (path: string) => buffer(await api.read(run, path));
  const onServer = (...path: string[]) => join(folder, 'served', '0', runId, 'artifacts', ...path);
  const paths = async (path = '') => (await api.list(run, path)).map((entry) => entry.path);

  it.each([0, 1, 70_000, 5 * MIB])('%i bytes come back equal, as stream, bytes and file', async (size) => {
    const content = randomBytes(size);
    const local = join(folder, `content-${size}`);
    await writeFile(local, content);
    await api.upload(run, 'stream', Readable.from(size === 0 ? [] : [content.subarray(0, 1), content.subarray(1)]));
    await api.upload(run, 'bytes', content);
    await api.uploadFile(run, local, 'deep/file');
    await api.uploadFile(run, local);
    for (const path of ['stream', 'bytes', 'deep/file', `content-${size}`]) {
      expect((await bytesOf(path)).equals(content), path).toBe(true);
    }
    expect((await readFile(onServer('stream'))).equals(content)).toBe(true);
    expect((await api.list(run)).filter((entry) => !entry.isDirectory).map((entry) => entry.fileSize)).toEqual([
      size,
      size,
      size,
    ]);
  });

  it('200 MB are streamed up and down in constant memory', { timeout: 120_000 }, async () => {
    const size = 200 * 1_000_000;
    const content = pseudoRandom(size);
    const target = join(folder, 'large');
    const up = await memoryDuring(() => api.upload(run, 'large.bin', content.stream));
    const sha256 = content.sha256();
    let received: unknown;
    const down = await memoryDuring(async () => (received = (await api.download(run, 'large.bin', target)).files));
    expect(received).toEqual([{ path: 'large.bin', localPath: join(target, 'large.bin'), size, sha256 }]);
    const stored = createHash('sha256')
      .update(await readFile(onServer('large.bin')))
      .digest('hex');
    expect(stored).toBe(sha256);
    expect({ up: up < 100, down: down < 100 }, `up ${up} MiB, down ${down} MiB`).toEqual({ up: true, down: true });
  });

  it('odd names are kept, in files and folders', async () => {
    const names = [
      'a b', ' lead and trail ', 'ü', 'u\u0308', '日本', '💾', '100%', '%', 'a%zz', 'q?x', 'a+b', 'Model:v1', 'a&b=c', ';x', "'\"",
      '<>|*', '~', '@', '[x]', '{x}', '...', '.hidden', '$HOME', '`id`', '^',
    ]; // prettier-ignore
    for (const name of names) await api.upload(run, `${name}/${name}`, name);
    expect(await paths()).toEqual(names.toSorted((a, b) => (a < b ? -1 : 1)));
    for (const name of names) {
      expect(await api.list(run, name)).toEqual([
        { path: `${name}/${name}`, isDirectory: false, fileSize: Buffer.byteLength(name) },
      ]);
      expect((await bytesOf(`${name}/${name}`)).toString()).toBe(name);
    }
    const { localPath, files } = await api.download(run, '', join(folder, 'odd'));
    expect(files).toHaveLength(names.length);
    expect((await readdir(localPath)).toSorted()).toEqual(names.toSorted());
    for (const name of names) await api.delete(run, `${name}/${name}`);
    expect((await collect(api.listAll(run))).every((entry) => entry.isDirectory)).toBe(true);
  });

  it('names that the server would keep as others are refused', async () => {
    for (const path of ['a#b', 'p%41', 'q?', 'x/s;', '../x', '/x', '.', 'a/./b', 'a\\b', '', 'x\ud800']) {
      await rejectsWith(() => api.upload(run, path, 'x'), 'INVALID_ARGUMENT');
      await rejectsWith(() => api.read(run, path), 'INVALID_ARGUMENT');
      await rejectsWith(() => api.delete(run, path), 'INVALID_ARGUMENT');
    }
    expect(await paths()).toEqual([]);
  });

  it('an upload that is cut or whose content fails leaves nothing, and the old file', async () => {
    await api.upload(run, 'old', 'old');
    const endless = (fail: 'error' | 'destroy') => {
      let sent = 0;
      const stream = new Readable({
        read() {
          sent += 1;
          if (sent < 100) this.push(Buffer.alloc(64 * 1024, 'x'));
          else this.destroy(fail === 'error' ? new Error('source broke') : undefined);
        },
      });
      return stream;
    };
    for (const path of ['old', 'deep/new']) {
      await rejectsWith(() => api.upload(run, path, endless('error')), 'PAYLOAD_INVALID');
      await rejectsWith(() => api.upload(run, path, endless('destroy')), 'PAYLOAD_INVALID');
      await rejectsWith(() => api.upload(run, path, Readable.from(['12345']), { contentLength: 6 }), 'PAYLOAD_INVALID');
      await rejectsWith(() => api.upload(run, path, Readable.from(['12345']), { contentLength: 4 }), 'PAYLOAD_INVALID');
      await rejectsWith(() => api.upload(run, path, Readable.from([{ not: 'bytes' }])), 'PAYLOAD_INVALID');
      const controller = new AbortController();
      const slow = Readable.from(
        (async function* () {
          for (let i = 0; ; i += 1) {
            yield Buffer.alloc(256 * 1024, 'x');
            if (i === 20) controller.abort();
            await setTimeout(1);
          }
        })(),
      );
      await rejectsWith(() => api.upload(run, path, slow, { signal: controller.signal }), 'ABORTED');
      const closing = new HttpTransport({ uri: server.url });
      let sent = 0;
      const cut = new Readable({
        read(size) {
          this.push(Buffer.alloc(size, 'x'));
          sent += size;
          if (sent > 8 * MIB) void closing.close();
        },
      });
      await rejectsWith(() => new ArtifactsApi(closing).upload(run, path, cut), 'CLOSED');
    }
    // The server cleans up once it sees that the connection is gone.
    await expect.poll(() => paths('deep')).toEqual([]);
    await expect.poll(() => readdir(onServer('deep')).catch(() => [])).toEqual([]);
    expect((await bytesOf('old')).toString()).toBe('old');
  });

  it('a file that grows while it is uploaded is stored as it was', async () => {
    const local = join(folder, 'growing.log');
    await writeFile(local, Buffer.alloc(3 * MIB, 'a'));
    const upload = api.uploadFile(run, local);
    for (let i = 0; i < 20; i += 1) await appendFile(local, Buffer.alloc(MIB / 4, 'b'));
    await upload;
    const stored = await bytesOf('growing.log');
    expect(stored.subarray(0, 3 * MIB).equals(Buffer.alloc(3 * MIB, 'a'))).toBe(true);
    expect(stored.length % (MIB / 4)).toBe(0);
  });

  it('a file where a folder has to be, and the other way round, is CONFLICT', async () => {
    await api.upload(run, 'a/b', 'file');
    await rejectsWith(() => api.upload(run, 'a/b/c', 'x'), 'CONFLICT');
    await rejectsWith(() => api.upload(run, 'a', 'x'), 'CONFLICT');
    // The server answers these before it got them whole.
    await rejectsWith(() => api.upload(run, 'a/b/c', Buffer.alloc(30 * MIB)), 'CONFLICT');
    await rejectsWith(() => api.upload(run, 'a/b/c', pseudoRandom(30 * MIB).stream), 'CONFLICT');
    expect((await bytesOf('a/b')).toString()).toBe('file');
  });

  it('missing files, folders, runs and models are NOT_FOUND, and lists of them empty', async () => {
    await api.upload(run, 'a/b', 'file');
    await rejectsWith(() => api.read(run, 'none'), 'NOT_FOUND');
    await rejectsWith(() => api.read(run, 'a'), 'NOT_FOUND');
    await rejectsWith(() => api.read(run, 'a/b/c'), 'NOT_FOUND');
    await rejectsWith(() => api.download(run, 'none', join(folder, 'none')), 'NOT_FOUND');
    expect([await paths('none'), await paths('a/b'), await paths('none/deeper')]).toEqual([[], [], []]);
    await api.delete(run, 'none');
    for (const owner of [{ runId: 'f'.repeat(32) }, { modelId: `m-${'f'.repeat(32)}` }]) {
      await rejectsWith(() => api.list(owner), 'NOT_FOUND');
      await rejectsWith(() => api.upload(owner, 'x', 'x'), 'NOT_FOUND');
      await rejectsWith(() => api.read(owner, 'x'), 'NOT_FOUND');
    }
  });

  it('a deleted run can be read and not changed', async () => {
    await api.upload(run, 'a', 'x');
    await transport.json({ method: 'POST', path: '/api/2.0/mlflow/runs/delete', body: { run_id: runId } });
    await rejectsWith(() => api.upload(run, 'a', 'y'), 'CONFLICT');
    await rejectsWith(() => api.delete(run, 'a'), 'CONFLICT');
    expect((await bytesOf('a')).toString()).toBe('x');
  });

  it('folders go up and come down whole, and long listings go on where they stopped', async () => {
    const source = join(folder, 'tree');
    const files = ['MLmodel', 'data/model.pkl', 'data/deep/er/x', 'data.txt', 'z/1', 'z/2'];
    for (const path of files) {
      await mkdir(join(source, path, '..'), { recursive: true });
      await writeFile(join(source, path), path.repeat(1_000));
    }
    await api.uploadFolder(run, source, 'model');
    const all = (await collect(api.listAll(run))).map((entry) => entry.path);
    expect(all.filter((path) => files.includes(path.slice('model/'.length))).length).toBe(files.length);
    expect(all).toEqual([...all].sort((a, b) => (a.split('/').join('\0') < b.split('/').join('\0') ? -1 : 1)));
    for (const [index, after] of all.entries()) {
      expect((await collect(api.listAll(run, '', { after }))).map((entry) => entry.path)).toEqual(all.slice(index + 1));
    }
    const { localPath } = await api.download(run, 'model', join(folder, 'copy'));
    expect(localPath).toBe(join(folder, 'copy', 'model'));
    for (const path of files) expect(await readFile(join(localPath, path), 'utf8')).toBe(path.repeat(1_000));
    expect((await readdir(join(folder, 'copy'))).length).toBe(1);
  });

  it('logged models have artifacts too', async () => {
    const path = '/api/2.0/mlflow/logged-models';
    const body = { experiment_id: '0', name: 'm' };
    const { model } = await transport.json<{ model: { info: { model_id: string } } }>({ method: 'POST', path, body });
    const owner = { modelId: model.info.model_id };
    await api.upload(owner, 'data/model.bin', 'weights');
    expect(await api.list(owner)).toEqual([{ path: 'data', isDirectory: true, fileSize: null }]);
    expect((await buffer(await api.read(owner, 'data/model.bin'))).toString()).toBe('weights');
    const { files } = await api.download(owner, '', join(folder, 'model'));
    expect(files.map((file) => file.path)).toEqual(['data/model.bin']);
  });

  it('a store that only the server reaches is read by it; writing is UNSUPPORTED', async () => {
    const disk = join(folder, 'disk ü');
    const experiment = await newExperiment('disk', new URL(`file://${disk}`).href);
    const owner = { runId: await newRun(experiment) };
    const allowed = new ArtifactsApi(transport, { allowFileUris: [folder] });
    await allowed.upload(owner, 'a b/f', 'content');
    await allowed.upload(owner, 'top', '');
    expect(await allowed.list(owner)).toEqual(await api.list(owner));
    expect(await api.list(owner, 'a b')).toEqual([{ path: 'a b/f', isDirectory: false, fileSize: 7 }]);
    expect((await buffer(await api.read(owner, 'a b/f'))).toString()).toBe('content');
    const { files } = await api.download(owner, '', join(folder, 'from-disk'));
    expect(files.map((file) => [file.path, file.size]).toSorted()).toEqual([
      ['a b/f', 7],
      ['top', 0],
    ]);
    await rejectsWith(() => api.read(owner, 'none'), 'NOT_FOUND');
    await rejectsWith(() => api.read(owner, 'a b'), 'NOT_FOUND');
    for (const work of [() => api.upload(owner, 'x', 'x'), () => api.delete(owner, 'top')]) {
      expect((await rejectsWith(work, 'UNSUPPORTED')).message).toContain('--artifacts-destination');
    }
    await rejectsWith(() => allowed.upload(owner, 'top/x', 'x'), 'CONFLICT');
    await rejectsWith(() => allowed.upload(owner, 'a b', 'x'), 'CONFLICT');
    await allowed.delete(owner, 'a b');
    expect((await api.list(owner)).map((entry) => entry.path)).toEqual(['top']);
  });

  it('an artifact location at another host is gone to by nobody', async () => {
    const experiment = await newExperiment('elsewhere', 'mlflow-artifacts://127.0.0.1:9/x');
    const owner = { runId: await newRun(experiment) };
    for (const work of [() => api.list(owner), () => api.read(owner, 'x'), () => api.upload(owner, 'x', 'x')]) {
      expect((await rejectsWith(work, 'UNSUPPORTED')).message).toContain('another host');
    }
  });
});
