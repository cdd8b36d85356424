import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HubError } from '../../../src/core/errors.js';
import { AWAY, backlog, chaosPlugin, CREATE_DEADLINE, setAside, WELL } from './chaos-plugin.js';
import { ChaosProxy } from './chaos-proxy.js';
import { METRIC, RunLedger, valueAt } from './run-ledger.js';
import { StockServer } from './stock-server.js';
import { Tmpfs } from './tmpfs.js';

const PYTHON = process.env['HUB_TEST_PYTHON'];
/** Size of the small spools, in bytes. */
const SMALL = 1_000_000;
/** Points that are logged at once, and after how many the spools have to be full. */
const AT_ONCE = 500;
const TOO_MANY = 100_000;
const LIMIT = { timeout: 60_000 };

describe.skipIf(PYTHON === undefined)('the MLflow server is away', () => {
  let server: StockServer;
  let proxy: ChaosProxy;
  let mlops: ReturnType<typeof chaosPlugin>;
  let spools = 0;

  beforeAll(async () => {
    server = await StockServer.create(PYTHON ?? '');
  }, 240_000);
  afterAll(() => server.remove());
  beforeEach(async () => {
    proxy = await ChaosProxy.start(server.port, () => 0.5);
  });
  afterEach(async () => {
    await mlops.shutdown();
    await proxy.stop();
  });

  async function open(spool = join(server.folder, `spool-${(spools += 1)}`), maxBytes = 1024 ** 3): Promise<string> {
    mlops = chaosPlugin(proxy.url, spool, maxBytes);
    await mlops.initialize();
    return mlops.createExperiment(spool);
  }

  async function startRun(): Promise<{ experimentId: string; runId: string }> {
    const experimentId = await open();
    return { experimentId, runId: (await mlops.startRun(experimentId)).runId };
  }

  /** Logs points until the spool takes none of them; resolves to how each of them fared. */
  async function fill(runId: string, ledger: RunLedger): Promise<Map<string, number>> {
    const outcomes = new Map<string, number>();
    let [stored, before] = [0, -1];
    for (let first = 0; first < TOO_MANY && stored > before; first += AT_ONCE) {
      before = stored;
      const calls = Array.from({ length: AT_ONCE }, async (_, index) => {
        const step = first + index;
        let outcome = 'stored';
        try {
          await mlops.logMetric(runId, METRIC, valueAt(step), { step });
          stored += 1;
        } catch (error) {
          outcome = HubError.is(error) ? error.code : String(error);
        }
        ledger.add([outcome === 'stored' ? 'point' : 'rejected', runId, step]);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      });
      await Promise.all(calls);
    }
    return outcomes;
  }

  async function expectSurvival(experimentId: string): Promise<void> {
    const ledger = new RunLedger();
    ledger.add(['starting', 'full']);
    const { runId } = await mlops.startRun(experimentId, { tags: { marker: 'full' } });
    await proxy.away();
    const outcomes = await fill(runId, ledger);
    expect([...outcomes.keys()].toSorted()).toEqual(['UNAVAILABLE', 'stored']);
    expect(outcomes.get('stored')).toBeGreaterThan(1_000);
    const health = await mlops.healthCheck();
    expect(health.healthy).toBe(false);
    expect(health.details['message']).toMatch(/the spool takes nothing: /);
    await proxy.back();
    await mlops.flush();
    // There is room again.
    await mlops.logMetric(runId, METRIC, valueAt(TOO_MANY), { step: TOO_MANY });
    ledger.add(['point', runId, TOO_MANY]);
    await mlops.endRun(runId);
    expect(await mlops.healthCheck()).toMatchObject(WELL);
    expect(await ledger.faults(server.view, experimentId)).toEqual([]);
    expect((await server.view.history(runId, METRIC)).length).toBe(ledger.points);
  }

  it('writes beyond the size of the spool reject, those before are stored', LIMIT, async () => {
    await expectSurvival(await open(undefined, SMALL));
  });

  it.skipIf(!Tmpfs.possible)('so do writes when the disk is full', LIMIT, async (context) => {
    const disk = await Tmpfs.mount(4 * SMALL);
    if (disk === undefined) return context.skip('nothing can be mounted here');
    try {
      await expectSurvival(await open(disk.folder));
    } finally {
      await mlops.shutdown();
      await disk.remove();
    }
  });

  it('a run that is deleted meanwhile is kept aside and reported, other runs go on', LIMIT, async () => {
    const experimentId = await open();
    const [doomed, other] = [await mlops.startRun(experimentId), await mlops.startRun(experimentId)];
    await proxy.away();
    for (const { runId } of [doomed, other]) {
      for (let step = 0; step < 50; step += 1) await mlops.logMetric(runId, METRIC, valueAt(step), { step });
      await mlops.endRun(runId);
    }
    await server.deleteRun(doomed.runId);
    await proxy.back();
    await expect.poll(() => backlog(mlops), { timeout: 30_000 }).toBe(0);

    const ended = await server.view.run(other.runId);
    expect([ended.status, ended.latest.get(METRIC)]).toEqual(['FINISHED', 49]);
    expect(await server.view.history(other.runId, METRIC)).toHaveLength(50);
    expect(await server.view.history(doomed.runId, METRIC)).toEqual([]);
    const health = await mlops.healthCheck();
    expect(setAside(health)).toBe(51);
    // And they are not forgotten with the process.
    await mlops.shutdown();
    await mlops.initialize();
    expect(setAside(await mlops.healthCheck())).toBe(51);
  });

  it('health is degraded, and no worse, while nobody answers', LIMIT, async () => {
    const { runId } = await startRun();
    proxy.weather = { silence: 1 };
    await mlops.logMetric(runId, METRIC, valueAt(0), { step: 0 });
    expect(await mlops.healthCheck()).toMatchObject(AWAY);
    expect(await backlog(mlops)).toBe(1);
    proxy.weather = {};
    await expect.poll(() => backlog(mlops), { timeout: 30_000 }).toBe(0);
    expect(await mlops.healthCheck()).toMatchObject(WELL);
  });

  it('health counts the backlog while the server is away; runs cannot be created, in time', LIMIT, async () => {
    const { experimentId, runId } = await startRun();
    expect(await mlops.healthCheck()).toMatchObject(WELL);
    await proxy.away();
    for (let step = 0; step < 20; step += 1) await mlops.logMetric(runId, METRIC, valueAt(step), { step });
    expect(await mlops.healthCheck()).toMatchObject(AWAY);
    expect(await backlog(mlops)).toBe(20);
    const began = performance.now();
    await expect(mlops.startRun(experimentId)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(performance.now() - began).toBeLessThan(CREATE_DEADLINE + 1_000);
    await proxy.back();
    // Nobody asks for it: it is replayed by itself.
    await expect.poll(() => backlog(mlops), { timeout: 30_000 }).toBe(0);
    expect(await mlops.healthCheck()).toMatchObject(WELL);
    expect(await server.view.history(runId, METRIC)).toHaveLength(20);
  });
});
