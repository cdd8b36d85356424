import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Adversary, silence, type Behaviour } from '../../../../test/mlflow/adversary.js';
import { freePort } from '../../../../test/support/mlflow-server.js';
import { rejectsWith } from '../../../core/contract.js';
import { RunWriteBuffer } from './buffer/index.js';
import type { MLflowPluginOptions } from './index.js';
import { MLflowPlugin } from './mlflow.plugin.js';

/** Answers like a server of that version that has nothing. */
const server =
  (version: string): Behaviour =>
  (request, response) => {
    const path = request.url ?? '';
    response.end(path === '/health' ? 'OK' : path === '/version' ? version : '{}');
  };

const DEGRADED = { healthy: true, details: { degraded: true } };
const WELL = { healthy: true, details: { writes: { state: 'up' } } };

describe('the start of the MLflow driver', () => {
  let folder: string;
  let ends: (() => Promise<unknown>)[];
  let lines: string[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-mlflow-start-'));
    ends = [];
    lines = [];
    const note = (line: unknown): void => void lines.push(String(line));
    vi.spyOn(Logger.prototype, 'warn').mockImplementation(note);
  });
  afterEach(async () => {
    for (const end of ends.toReversed()) await end();
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  async function play(behaviour: Behaviour, port = 0): Promise<Adversary> {
    const adversary = (await Adversary.start({ port })).always(behaviour);
    ends.push(() => adversary.stop());
    return adversary;
  }
  function plugin(mlflowUri: string, options: MLflowPluginOptions = {}): MLflowPlugin {
    const opened = new MLflowPlugin({ mlflowUri, ...options, spool: { dir: folder, ...options.spool } });
    ends.push(() => opened.shutdown());
    return opened;
  }

  it('waits for a server that is away, says so once, and learns its version when it comes', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const mlops = plugin(`http://user:pass-word@127.0.0.1:${port}`);
    await mlops.initialize();
    expect(lines).toEqual([expect.stringContaining(`${url} does not answer; writes to existing runs are spooled`)]);
    expect(lines.join()).toContain('ECONNREFUSED');
    expect(lines.join()).not.toContain('pass-word');
    expect(await mlops.healthCheck()).toMatchObject(DEGRADED);
    expect(mlops.supports.experimentTagDeletion).toBe(true);
    await play(server('2.22.5'), port);
    expect(await mlops.healthCheck()).toMatchObject(WELL);
    expect(mlops.supports.experimentTagDeletion).toBe(false);
    expect(lines).toHaveLength(1);
  });

  it(
    'waits for one that says that it cannot answer now, and for one that says nothing',
    { timeout: 30_000 },
    async () => {
      for (const behaviour of [{ status: 503, body: 'starting' }, silence]) {
        const mlops = plugin((await play(behaviour)).url);
        await mlops.initialize();
        expect(await mlops.healthCheck()).toMatchObject(DEGRADED);
      }
      expect(lines).toHaveLength(2);
    },
  );

  it('fails without a spool, in which writes could wait', async () => {
    const mlops = plugin(`http://127.0.0.1:${await freePort()}`, { spool: { enabled: false } });
    await rejectsWith(() => mlops.initialize(), 'UNAVAILABLE');
  });

  it('fails at what is no MLflow server, or refuses us, and leaves no spool', async () => {
    const noHttp = createServer((socket) => socket.resume().end('SSH-2.0-OpenSSH_9.6\r\n'));
    noHttp.listen(0, '127.0.0.1');
    await once(noHttp, 'listening');
    ends.push(() => once(noHttp.close(), 'close'));
    const { port } = noHttp.address() as { port: number };
    const guard = 'Invalid Host header - possible DNS rebinding attack detected';
    const cases: [url: string, code: 'UNAVAILABLE' | 'UNAUTHORIZED' | 'UNSUPPORTED', message: string][] = [
      [(await play(server('3.17.2'))).url.replace('http:', 'https:'), 'UNAVAILABLE', 'no secure connection'],
      [`http://127.0.0.1:${port}`, 'UNAVAILABLE', 'cannot reach|lost the connection'],
      [(await play({ body: 'Welcome' })).url, 'UNAVAILABLE', 'no JSON object'],
      [(await play({ status: 403, body: guard })).url, 'UNAVAILABLE', '--allowed-hosts'],
      [(await play({ status: 401, body: 'who?' })).url, 'UNAUTHORIZED', 'credentials'],
      [(await play({ status: 404, body: 'nothing here' })).url, 'UNSUPPORTED', 'no MLflow server'],
    ];
    for (const [url, code, message] of cases) {
      const error = await rejectsWith(() => plugin(url).initialize(), code);
      expect(error.message).toMatch(new RegExp(message));
    }
    expect(lines).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('asks a registry of its own, too, at the start and in health', async () => {
    const tracking = await play(server('3.17.2'));
    const registry = await play(server('3.17.2'));
    const mlops = plugin(tracking.url, { registryUri: registry.url });
    await mlops.initialize();
    expect(registry.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /api/2.0/mlflow/registered-models/search?max_results=1',
    ]);
    expect(await mlops.healthCheck()).toMatchObject(WELL);
    registry.always({ status: 401, body: 'who?' });
    const refused = await mlops.healthCheck();
    expect(refused.healthy).toBe(false);
    expect(refused.details['message']).toMatch(/^\[mlops\/mlflow\] the model registry \(registry_uri\): http/);
    registry.always({ status: 503, body: 'later' });
    const away = await mlops.healthCheck();
    expect(away).toMatchObject({
      ...DEGRADED,
      details: { message: expect.stringContaining('the model registry') as string },
    });
    expect(tracking.seen.some(({ url }) => url.includes('registered-models'))).toBe(false);
  });

  it('fails at a registry that is none, waits for one that is away, and knows the version all the same', async () => {
    const tracking = await play(server('2.22.5'));
    const wrong = plugin(tracking.url, { registryUri: (await play({ status: 404, body: '' })).url });
    expect((await rejectsWith(() => wrong.initialize(), 'UNSUPPORTED')).message).toContain('the model registry');
    const mlops = plugin(tracking.url, { registryUri: `http://127.0.0.1:${await freePort()}` });
    await mlops.initialize();
    expect(lines).toEqual([expect.stringMatching(/the model registry .* models cannot be read or registered/)]);
    expect(mlops.supports.experimentTagDeletion).toBe(false);
  });

  it('gives the options on to the write buffer, with a folder for the workspace', async () => {
    const { url } = await play(server('3.17.2'));
    const open = vi.spyOn(RunWriteBuffer, 'open');
    const buffer = { linger: 7, maxBuffered: 11, maxBufferedBytes: 2_000_000 };
    await plugin(url, { buffer, spool: { durability: 'power', maxBytes: 3_000_000 } }).initialize();
    expect(open.mock.lastCall?.[1]).toMatchObject({ ...buffer, spool: { durability: 'power', maxBytes: 3_000_000 } });
    await plugin(url, { workspace: 'team-a' }).initialize();
    vi.stubEnv('MLFLOW_WORKSPACE', 'team-b');
    await plugin(url).initialize();
    expect(await readdir(join(folder, 'mlflow-spool'))).toHaveLength(3);
  });

  it('names itself once in an error', async () => {
    const { url } = await play({ body: {} });
    const mlops = plugin(`${url}/`, { retry: { attempts: 1 } });
    await rejectsWith(() => mlops.initialize(), 'UNAVAILABLE');
    const away = plugin(`http://127.0.0.1:${await freePort()}`, { retry: { attempts: 1 } });
    await away.initialize();
    const { message } = await rejectsWith(() => away.createExperiment('x'), 'UNAVAILABLE');
    expect(message).toMatch(/^\[mlops\/mlflow\] createExperiment: cannot reach/);
    await rejectsWith(() => away.rejectedWrites(0), 'INVALID_ARGUMENT');
    await rejectsWith(() => away.forgetRejectedWrite(1.5), 'INVALID_ARGUMENT');
  });
});
