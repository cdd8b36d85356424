import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MLOpsPlugin } from '../../src/index.js';
import { toy } from '../experiment/stack.js';
import { adapters, ApiApp } from './api-app.js';

interface List<T> {
  items: T[];
  next: string | null;
}

describe.each(Object.keys(adapters) as (keyof typeof adapters)[])('runs over HTTP on %s', (adapter) => {
  let api: ApiApp;
  let mlops: MLOpsPlugin;
  let runId: string;
  let foreign: string;
  let base: string;

  beforeAll(async () => {
    api = await ApiApp.open({ adapter, experiments: [toy(), toy({ name: 'fresh' }), toy({ name: 'many' })] });
    mlops = api.app.get(MLOpsPlugin);
    const experimentId = await mlops.createExperiment('toy');
    const run = await mlops.startRun(experimentId, {
      params: { depth: 3, source: 'https://someone:canary-password@host/x' },
      tags: { team: 'a' },
    });
    runId = run.runId;
    base = `/api/experiments/toy/runs/${runId}`;
    await mlops.logMetrics(
      runId,
      Array.from({ length: 5 }, (_, step) => ({ key: 'loss', value: 5 - step, step, timestamp: 1_000 + step })),
    );
    await mlops.logMetrics(runId, { odd: Number.NaN, 'deep/key': 1 });
    await mlops.logText(runId, 'hello', 'notes/größe.txt');
    await mlops.logBytes(runId, Buffer.alloc(300_000, 7), 'notes/large.bin');
    await mlops.logText(runId, '<script>alert(1)</script>', 'page.html');
    await mlops.logText(runId, '', 'empty.txt');
    await mlops.logText(runId, 'canary-request', 'hub/request.json');
    foreign = (await mlops.startRun(await mlops.createExperiment('not-of-the-hub'))).runId;
  });
  afterAll(() => api.close());

  it('shows a run, without passwords and without NaN', async () => {
    const { status, body } = await api.get(base);
    expect([status, body]).toMatchObject([
      200,
      { runId, status: 'RUNNING', endTime: null, metrics: { loss: 1, odd: null, 'deep/key': 1 }, tags: { team: 'a' } },
    ]);
    expect(body['params']).toEqual({ depth: '3', source: 'https://[redacted]@host/x' });
  });

  it('runs of experiments that the hub does not have are not to be seen, nor those of another one', async () => {
    for (const path of [
      `toy/runs/${foreign}`,
      `fresh/runs/${runId}`,
      `not-of-the-hub/runs/${foreign}`,
      'toy/runs/nope',
    ]) {
      for (const below of [
        '',
        '/metrics',
        '/metrics/history?key=loss',
        '/artifacts',
        '/artifacts/content?path=x',
        '/progress',
      ]) {
        expect(await api.problem('GET', `/api/experiments/${path}${below}`), path + below).toMatchObject({
          status: 404,
        });
      }
    }
  });

  it('lists runs, each once, also those that began in the same millisecond', async () => {
    const experimentId = await mlops.createExperiment('many');
    const times = [3, 1, 2, 2, 2, 2, 1, 3, 2];
    for (const startTime of times) await mlops.startRun(experimentId, { startTime });
    const seen: { runId: string; startTime: number }[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: List<{ runId: string; startTime: number }> = (
        await api.get<List<{ runId: string; startTime: number }>>(
          `/api/experiments/many/runs?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
        )
      ).body;
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items);
      cursor = page.next;
    }
    expect(seen.map(({ startTime }) => startTime)).toEqual([...times].sort((a, b) => b - a));
    expect(new Set(seen.map((run) => run.runId)).size).toBe(times.length);
  });

  it('lists runs by status, and none of an experiment that was never trained', async () => {
    const list = async (query: string): Promise<string[]> =>
      (await api.get<List<{ runId: string }>>(`/api/experiments/toy/runs?${query}`)).body.items.map((run) => run.runId);
    expect(await list('status=RUNNING')).toEqual([runId]);
    expect(await list('status=FAILED')).toEqual([]);
    expect((await api.get('/api/experiments/fresh/runs')).body).toEqual({ items: [], next: null });
  });

  it('lists metrics and pages through a history', async () => {
    const { body } = await api.get<List<{ key: string; value: number | null; step: number }>>(`${base}/metrics`);
    expect(body.items).toEqual([
      expect.objectContaining({ key: 'deep/key', value: 1 }),
      { key: 'loss', value: 1, step: 4, timestamp: 1_004 },
      expect.objectContaining({ key: 'odd', value: null }),
    ]);
    const page = (query: string) => api.get<List<{ step: number }>>(`${base}/metrics/history?key=loss&limit=3${query}`);
    const first = (await page('')).body;
    expect(first.items.map(({ step }) => step)).toEqual([0, 1, 2]);
    const second = (await page(`&cursor=${first.next}`)).body;
    expect([second.items.map(({ step }) => step), second.next]).toEqual([[3, 4], null]);
    expect((await api.get(`${base}/metrics/history?key=unknown`)).body).toEqual({ items: [], next: null });
  });

  it('a cursor of another list is 400', async () => {
    for (const cursor of ['AAAA', 'WzEsMl0', 'x'.repeat(600), '$']) {
      expect(await api.problem('GET', `/api/experiments/toy/runs?cursor=${cursor}`)).toMatchObject({ status: 400 });
    }
  });

  it('lists artifacts without what is the hub’s own', async () => {
    const list = async (query = '') => (await api.get<List<object>>(`${base}/artifacts${query}`)).body;
    expect((await list()).items).toEqual([
      { path: 'notes', isDirectory: true, fileSize: null },
      { path: 'empty.txt', isDirectory: false, fileSize: 0 },
      { path: 'page.html', isDirectory: false, fileSize: 25 },
    ]);
    expect((await list('?path=notes&limit=1')).items).toHaveLength(1);
    expect(await list('?path=hub')).toEqual({ items: [], next: null });
    expect(await list('?path=missing')).toEqual({ items: [], next: null });
    expect(await api.problem('GET', `${base}/artifacts/content?path=hub/request.json`)).toMatchObject({ status: 404 });
  });

  it('downloads are attachments that no browser opens', async () => {
    const page = await api.send<string>('GET', `${base}/artifacts/content?path=page.html`);
    expect(page.body).toBe('<script>alert(1)</script>');
    expect(Object.fromEntries(page.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
      'content-disposition': `attachment; filename="page.html"; filename*=UTF-8''page.html`,
      'cache-control': 'no-store',
    });
    const named = await api.send<string>(
      'GET',
      `${base}/artifacts/content?path=${encodeURIComponent('notes/größe.txt')}`,
    );
    expect([named.body, named.headers.get('content-disposition')]).toEqual([
      'hello',
      `attachment; filename="gr__e.txt"; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt`,
    ]);
    const large = await api.send<string>('GET', `${base}/artifacts/content?path=notes/large.bin`);
    expect(large.body).toHaveLength(300_000);
    expect(await api.send('GET', `${base}/artifacts/content?path=empty.txt`)).toMatchObject({ status: 200, body: '' });
    expect(await api.send('HEAD', `${base}/artifacts/content?path=page.html`)).toMatchObject({ status: 200, body: '' });
  });

  it.each(['..', '../x', '/etc/passwd', 'notes/../../x', 'notes//x', '.', 'a\\..\\b', 'C:/x', 'notes/..%2fx', '%00'])(
    'the path %j leads nowhere',
    async (path) => {
      const query = path.startsWith('%') ? path : encodeURIComponent(path);
      const { status } = await api.problem('GET', `${base}/artifacts/content?path=${query}`);
      expect([400, 404]).toContain(status);
      if (path !== '') {
        const listed = await api.send('GET', `${base}/artifacts?path=${query}`);
        expect([400, 200]).toContain(listed.status);
        if (listed.status === 200) expect(listed.body).toEqual({ items: [], next: null });
      }
    },
  );

  it('a folder and a missing file are 404', async () => {
    for (const path of ['notes', 'missing.txt']) {
      expect(await api.problem('GET', `${base}/artifacts/content?path=${path}`)).toMatchObject({ status: 404 });
    }
  });

  it('a source that fails before its first byte is a problem, and later breaks the connection', async () => {
    const read = vi.spyOn(mlops, 'readArtifact');
    read.mockResolvedValueOnce(
      new Readable({
        read() {
          this.destroy(new Error('canary-source'));
        },
      }),
    );
    const problem = await api.problem('GET', `${base}/artifacts/content?path=page.html`);
    expect(problem.status).toBeGreaterThanOrEqual(500);
    expect(JSON.stringify(problem)).not.toContain('canary');
    let chunks = 0;
    read.mockResolvedValueOnce(
      new Readable({
        read() {
          if (chunks++ < 20) this.push(Buffer.alloc(65_536));
          else this.destroy(new Error('broken off'));
        },
      }),
    );
    await expect(api.send('GET', `${base}/artifacts/content?path=page.html`)).rejects.toThrow(
      /terminated|closed|failed/,
    );
    read.mockRestore();
  });
});
