import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { collect, rejectsWith } from '../../src/core/contract.js';
import type { RejectedWrite } from '../../src/mlops/drivers/mlflow/index.js';
import { MLflowPlugin } from '../../src/mlops/drivers/mlflow/mlflow.plugin.js';
import { AWAY, backlog, chaosPlugin, setAside, WELL } from './chaos/chaos-plugin.js';
import { ChaosProxy } from './chaos/chaos-proxy.js';
import { StockServer } from './chaos/stock-server.js';
import { python, skipReason } from './mlflow-python.js';

const STARTS = { timeout: 240_000 };
const LIMIT = { timeout: 60_000 };

describe.skipIf(python === undefined)(`what an application sees of an MLflow outage${skipReason}`, () => {
  let server: StockServer;
  let ends: (() => Promise<void>)[] = [];
  let spools = 0;

  beforeAll(async () => {
    server = await StockServer.create(python ?? '');
  }, STARTS.timeout);
  afterAll(() => server.remove());
  afterEach(async () => {
    for (const end of ends.toReversed()) await end();
    ends = [];
  });

  function plugin(url: string, spool = join(server.folder, `spool-${(spools += 1)}`)): MLflowPlugin {
    const opened = chaosPlugin(url, spool);
    ends.push(() => opened.shutdown());
    return opened;
  }
  async function proxied(): Promise<{ proxy: ChaosProxy; mlops: MLflowPlugin }> {
    const proxy = await ChaosProxy.start(server.port, () => 0.5);
    ends.push(() => proxy.stop());
    const mlops = plugin(proxy.url);
    await mlops.initialize();
    return { proxy, mlops };
  }
  /** A run that was deleted while a write to it was spooled, and one that was not; the server is reachable again. */
  async function refusal({ proxy, mlops }: Awaited<ReturnType<typeof proxied>>, name: string) {
    const experimentId = await mlops.createExperiment(name);
    const [doomed, other] = [await mlops.startRun(experimentId), await mlops.startRun(experimentId)];
    await proxy.away();
    await mlops.logMetric(doomed.runId, 'loss', 0.5, { step: 3 });
    await mlops.logMetric(other.runId, 'loss', 0.25, { step: 3 });
    await server.deleteRun(doomed.runId);
    await proxy.back();
    return { experimentId, doomed: doomed.runId, other: other.runId };
  }

  it('starts without the server, writes to a run that exists, and goes on when the server comes', STARTS, async () => {
    const spool = join(server.folder, 'spool-of-both');
    const before = plugin(server.url, spool);
    await before.initialize();
    const { runId } = await before.startRun(await before.createExperiment('without a server'));
    await before.logMetric(runId, 'loss', 0, { step: 0 });
    await before.shutdown();
    await server.kill();

    const mlops = plugin(server.url, spool);
    await mlops.initialize();
    expect(await mlops.healthCheck()).toMatchObject({ healthy: true, details: { degraded: true } });
    await rejectsWith(() => mlops.createExperiment('not now'), 'UNAVAILABLE');
    for (let step = 1; step < 100; step += 1) await mlops.logMetric(runId, 'loss', step, { step });
    await mlops.setTag(runId, 'written', 'while away');
    await mlops.endRun(runId);
    await rejectsWith(() => mlops.getRun(runId), 'UNAVAILABLE');
    expect(await backlog(mlops)).toBe(101);
    expect(await mlops.healthCheck()).toMatchObject(AWAY);

    await server.start();
    await mlops.flush();
    expect(await mlops.healthCheck()).toMatchObject(WELL);
    const run = await server.view.run(runId);
    expect([run.status, run.tags.get('written'), run.latest.get('loss')]).toEqual(['FINISHED', 'while away', 99]);
    expect((await server.view.history(runId, 'loss')).map(({ step }) => step)).toEqual(
      Array.from({ length: 100 }, (_, step) => step),
    );
    await mlops.startRun(await mlops.createExperiment('now'));
  });

  it('a flush and a read with the default options live through a server that is away for a moment', LIMIT, async () => {
    const proxy = await ChaosProxy.start(server.port, () => 0.5);
    ends.push(() => proxy.stop());
    const mlops = new MLflowPlugin({ mlflowUri: proxy.url, spool: { dir: join(server.folder, 'spool-of-a-moment') } });
    ends.push(() => mlops.shutdown());
    await mlops.initialize();
    const { runId } = await mlops.startRun(await mlops.createExperiment('a moment'));
    await proxy.away();
    await mlops.logMetric(runId, 'loss', 0.5, { step: 0 });
    expect(await backlog(mlops)).toBe(1);
    const waiting = Promise.all([mlops.flush(), mlops.getRun(runId)]);
    await setTimeout(50);
    await proxy.back();
    const [, run] = await waiting;
    expect(run.metrics['loss']?.value).toBe(0.5);
    expect(await mlops.healthCheck()).toMatchObject(WELL);
  });

  it('reads the writes that the server refused later, and forgets them', LIMIT, async () => {
    const open = await proxied();
    const { mlops } = open;
    const { doomed, other } = await refusal(open, 'refused');
    await rejectsWith(() => mlops.flush(), 'CONFLICT');
    const refused: RejectedWrite[] = await mlops.rejectedWrites();
    expect(refused).toMatchObject([{ runId: doomed, kind: 'batch', code: 'CONFLICT' }]);
    expect(JSON.parse(refused[0]?.content ?? '')).toMatchObject({ metrics: [['loss', 0.5, expect.any(Number), 3]] });
    expect(await mlops.rejectedWrites(1)).toEqual(refused);
    const id = refused[0]?.id ?? -1;
    expect([await mlops.forgetRejectedWrite(id), await mlops.forgetRejectedWrite(id)]).toEqual([true, false]);
    expect(setAside(await mlops.healthCheck())).toBe(0);
    expect(await mlops.rejectedWrites()).toEqual([]);
    expect(await server.view.history(other, 'loss')).toHaveLength(1);
    await mlops.shutdown();
    await rejectsWith(() => mlops.rejectedWrites(), 'CLOSED');
  });

  it('finds runs whatever the server refused of another run', LIMIT, async () => {
    const open = await proxied();
    const { mlops } = open;
    const { experimentId, other } = await refusal(open, 'searched');
    const runs = await collect(mlops.searchRuns({ experimentIds: [experimentId] }));
    expect(runs.map(({ runId, metrics }) => [runId, metrics['loss']?.value])).toEqual([[other, 0.25]]);
    expect(setAside(await mlops.healthCheck())).toBe(1);
  });

  it('a stream that fails while it waits for an earlier upload rejects, and ends no process', LIMIT, async () => {
    const { mlops } = await proxied();
    const { runId } = await mlops.startRun(await mlops.createExperiment('failing stream'));
    const slow = new PassThrough();
    const first = mlops.logStream(runId, slow, 'folder/slow.txt');
    const failing = new PassThrough();
    const second = mlops.logStream(runId, failing, 'folder/slow.txt');
    failing.destroy(new Error('gone'));
    await setTimeout(50);
    slow.end('content');
    await first;
    await rejectsWith(() => second, 'PAYLOAD_INVALID');
    expect((await mlops.readArtifactBytes(runId, 'folder/slow.txt')).toString()).toBe('content');
  });

  it('drain waits for an upload under way and for the end of its run', LIMIT, async () => {
    const { mlops } = await proxied();
    const { runId } = await mlops.startRun(await mlops.createExperiment('drained'));
    const slow = new PassThrough();
    const upload = mlops.logStream(runId, slow, 'slow.txt');
    const ended = mlops.endRun(runId);
    const drained = mlops.drain();
    await setTimeout(300);
    slow.end('content');
    await drained;
    await mlops.shutdown();
    await Promise.all([upload, ended]);
    const again = plugin(server.url);
    await again.initialize();
    expect((await again.getRun(runId)).status).toBe('FINISHED');
    expect((await again.readArtifactBytes(runId, 'slow.txt')).toString()).toBe('content');
  });
});
