import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MLflowPlugin } from '../../../src/mlops/drivers/mlflow/mlflow.plugin.js';
import { chaosPlugin, CREATE_DEADLINE } from './chaos-plugin.js';
import { ChaosProxy, FAULTS, type Fault } from './chaos-proxy.js';
import { StockServer } from './stock-server.js';

const PYTHON = process.env['HUB_TEST_PYTHON'];

/** What the first requests of a creation meet; the last two also lose the search for what was created. */
const STRIKES: Fault[][] = [
  ...FAULTS.filter((fault) => fault !== 'login-page' && fault !== 'silence').map((fault) => [fault]),
  ['cut-after', 'cut-before'],
  ['half-answer', 'status-500'],
];

describe.skipIf(PYTHON === undefined)('the answer to a creation is lost', () => {
  let server: StockServer;

  beforeAll(async () => {
    server = await StockServer.create(PYTHON ?? '');
  }, 240_000);
  afterAll(() => server.remove());

  /** Runs `work` with an app behind a proxy of its own. */
  async function behindProxy(work: (mlops: MLflowPlugin, proxy: ChaosProxy) => Promise<void>): Promise<void> {
    const proxy = await ChaosProxy.start(server.port, () => 0.5);
    const mlops = chaosPlugin(proxy.url, join(server.folder, randomUUID()));
    try {
      await mlops.initialize();
      await work(mlops, proxy);
    } finally {
      await mlops.shutdown();
      await proxy.stop();
    }
  }

  it.concurrent.for(STRIKES.map((strike) => [strike.join(', then '), strike] as const))(
    'a run, a version, a model and an experiment are created once: %s',
    { timeout: 60_000 },
    ([, strike], { expect }) =>
      behindProxy(async (mlops, proxy) => {
        const struck = async <T>(create: () => Promise<T>): Promise<T> => {
          proxy.next(...strike);
          const began = performance.now();
          const created = await create();
          expect(performance.now() - began).toBeLessThan(CREATE_DEADLINE);
          proxy.next();
          return created;
        };
        const [name, marker] = [randomUUID(), randomUUID()];
        const experimentId = await struck(() => mlops.createExperiment(name));
        expect((await mlops.getExperimentByName(name))?.experimentId).toBe(experimentId);

        const { runId } = await struck(() => mlops.startRun(experimentId, { tags: { marker } }));
        expect((await server.view.runs(experimentId)).map((run) => [run.runId, run.tags.get('marker')])).toEqual([
          [runId, marker],
        ]);

        expect((await struck(() => mlops.createRegisteredModel(name))).name).toBe(name);
        // And not the other way round: the name is taken for everybody who comes later.
        await expect(mlops.createRegisteredModel(name)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });

        const options = { source: `s3://models/${marker}`, tags: { marker } };
        const { version } = await struck(() => mlops.createModelVersion(name, options));
        expect([...(await server.view.versionTags(name, 'marker'))]).toEqual([[version, marker]]);
      }),
  );

  it('after a time-out it is not sent again, since the server may still carry it out', () =>
    behindProxy(async (mlops, proxy) => {
      const experimentId = await mlops.createExperiment('slow');
      proxy.next('silence');
      const began = performance.now();
      await expect(mlops.startRun(experimentId)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        details: { maybeDone: true, timedOut: true },
      });
      expect(performance.now() - began).toBeLessThan(CREATE_DEADLINE + 1_000);
      expect(await server.view.runs(experimentId)).toEqual([]);
    }));

  it('half of a refusal is asked for again', () =>
    behindProxy(async (mlops, proxy) => {
      proxy.next('half-answer');
      expect(await mlops.getExperimentByName('nowhere')).toBeNull();
      await mlops.createRegisteredModel('taken');
      proxy.next('half-answer');
      await expect(mlops.createRegisteredModel('taken')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    }));

  it('a login page in its place is no outage, and creates nothing', () =>
    behindProxy(async (mlops, proxy) => {
      const experimentId = await mlops.createExperiment('login');
      proxy.next('login-page');
      await expect(mlops.startRun(experimentId)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
      expect(await server.view.runs(experimentId)).toEqual([]);
    }));
});
