import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HubError } from '../../../src/core/errors.js';
import type { LedgerLine } from '../../durability/ledger.js';
import { randomFrom, testSeed } from '../../durability/seeded-random.js';
import { chaosPlugin, CREATE_DEADLINE, WELL } from './chaos-plugin.js';
import { ChaosProxy, FAULTS, type Weather } from './chaos-proxy.js';
import { CHAOS } from './chaos-size.js';
import { Creators } from './creators.js';
import { Observer } from './observer.js';
import { RunLedger } from './run-ledger.js';
import { writeRun } from './run-writer.js';
import { StockServer } from './stock-server.js';

const PYTHON = process.env['HUB_TEST_PYTHON'];
const SEED = testSeed();
const WRITERS = 4;
const STORM: Weather = {
  'cut-before': 0.06,
  'cut-after': 0.06,
  'half-answer': 0.06,
  silence: 0.01,
  'silence-after': 0.01,
  'gateway-after': 0.06,
  'status-500': 0.06,
  'status-429': 0.02,
  'login-page': 0.02,
  delay: 0.15,
};

describe.skipIf(PYTHON === undefined)('a proxy that cuts, delays and lies before the MLflow server', () => {
  let server: StockServer;
  let proxy: ChaosProxy;
  let mlops: ReturnType<typeof chaosPlugin>;

  beforeEach(async () => {
    server = await StockServer.create(PYTHON ?? '');
    proxy = await ChaosProxy.start(server.port, randomFrom(SEED));
    mlops = chaosPlugin(proxy.url, join(server.folder, 'spool'));
    await mlops.initialize();
  }, 240_000);
  afterEach(async () => {
    await mlops.shutdown();
    await proxy.stop();
    await server.remove();
  });

  it('runs and versions are created once, logs are stored once', { timeout: 120_000 + 3 * CHAOS.weather }, async () => {
    const written = await mlops.createExperiment('written');
    const created = await mlops.createExperiment('created');
    const ledger = new RunLedger();
    const creators = new Creators(mlops, created, CREATE_DEADLINE);
    const observer = new Observer(server.view, ledger, randomFrom(SEED));
    const report = (...line: LedgerLine): void => ledger.add(line);
    const mayReject = (error: unknown): boolean => HubError.is(error, 'UNAUTHORIZED');
    const over = new AbortController();
    const working = Promise.all([
      creators.run(over.signal),
      ...Array.from({ length: WRITERS }, async (_, writer) => {
        const options = { experimentId: written, points: 300, window: writer === 0 ? 1 : 50, report, mayReject };
        while (!over.signal.aborted) await writeRun(mlops, options);
      }),
    ]);
    working.catch(() => undefined);
    // The model to which versions are added is made in good weather.
    await expect.poll(() => creators.created, { timeout: 20_000 }).toBeGreaterThan(0);
    proxy.weather = STORM;
    await setTimeout(CHAOS.weather);
    proxy.weather = {};
    over.abort();
    await working;
    await mlops.flush();

    expect(await mlops.healthCheck()).toMatchObject(WELL);
    expect(await ledger.faults(server.view, written)).toEqual([]);
    expect(await creators.faults(server.view)).toEqual([]);
    expect(await observer.stop()).toEqual([]);
    // The rare ones may have been left out.
    expect(proxy.faults.size).toBeGreaterThanOrEqual(FAULTS.length - 2);
    const faults = [...proxy.faults].map(([fault, times]) => `${times} ${fault}`).join(', ');
    console.log(
      `proxy (seed ${SEED}): ${proxy.passed} requests passed, ${faults}; ${creators.created} creations succeeded once each, ` +
        `${creators.refused} refused in time; ${ledger.points} points acknowledged, ${ledger.rejected} rejected, 0 lost, ` +
        `0 doubled; ${observer.looks} looks, ${observer.finished} at finished runs`,
    );
  });
});
