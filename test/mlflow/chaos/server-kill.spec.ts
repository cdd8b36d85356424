import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LedgerLine } from '../../durability/ledger.js';
import { randomFrom, testSeed } from '../../durability/seeded-random.js';
import { AWAY, backlog, chaosPlugin, WELL } from './chaos-plugin.js';
import { CHAOS } from './chaos-size.js';
import { Observer } from './observer.js';
import { RunLedger } from './run-ledger.js';
import { writeRun } from './run-writer.js';
import { StockServer } from './stock-server.js';

const PYTHON = process.env['HUB_TEST_PYTHON'];
const SEED = testSeed();
const WRITERS = 8;
/** Shares of the points after which writers wait: for the kill, and for the server's second life. */
const KILL_AT = 0.3;
const BACK_AT = 0.7;
/** How long the spool may take to be replayed, in ms. */
const REPLAY = 60_000 + CHAOS.points;

describe.skipIf(PYTHON === undefined)('the MLflow server is killed in the middle of the writes', () => {
  let server: StockServer;
  let mlops: ReturnType<typeof chaosPlugin>;

  beforeEach(async () => {
    server = await StockServer.create(PYTHON ?? '');
    mlops = chaosPlugin(server.url, join(server.folder, 'spool'));
    await mlops.initialize();
  }, 240_000);
  afterEach(async () => {
    await mlops.shutdown();
    await server.remove();
  });

  it('nothing acknowledged is lost, nothing is doubled, and the app goes on', { timeout: 4 * REPLAY }, async () => {
    const experimentId = await mlops.createExperiment('killed server');
    const ledger = new RunLedger();
    const observer = new Observer(server.view, ledger, randomFrom(SEED));
    const report = (...line: LedgerLine): void => ledger.add(line);
    const killed = gate();
    const back = gate();
    const points = Math.ceil(CHAOS.points / WRITERS);
    const before = (step: number): Promise<void> | undefined => {
      if (step === Math.floor(points * KILL_AT)) return killed.opened;
      return step === Math.floor(points * BACK_AT) ? back.opened : undefined;
    };
    const began = Date.now();
    const writing = Promise.all(
      Array.from({ length: WRITERS }, (_, writer) => {
        const window = writer === 0 ? 1 : 200;
        return writeRun(mlops, { experimentId, points, window, report, before });
      }),
    );
    writing.catch(() => undefined);

    // Most are at the gate, the one that awaits each call is still on its way.
    await expect.poll(() => ledger.points, { timeout: REPLAY }).toBeGreaterThan(points * WRITERS * KILL_AT * 0.8);
    const atKill = ledger.points;
    killed.open();
    await setTimeout(20);
    const away = Date.now();
    await server.kill();
    await expect.poll(() => ledger.points, { timeout: REPLAY }).toBeGreaterThan(atKill + points);
    expect(await mlops.healthCheck()).toMatchObject(AWAY);
    // Killed again as soon as it is back, in the middle of the replay.
    await server.start();
    await expect.poll(() => backlog(mlops), { interval: 5, timeout: REPLAY }).toBeLessThan(atKill);
    await server.kill();
    const left = await backlog(mlops);
    await server.start();
    const outage = Date.now() - away;
    back.open();
    await writing;
    await mlops.flush();
    const lasted = Date.now() - began;

    expect(await mlops.healthCheck()).toMatchObject(WELL);
    expect(await ledger.faults(server.view, experimentId)).toEqual([]);
    expect(ledger.points).toBe(points * WRITERS);
    await expect.poll(() => observer.finished, { timeout: REPLAY }).toBeGreaterThan(0);
    expect(await observer.stop()).toEqual([]);
    console.log(
      `server killed twice (seed ${SEED}): ${ledger.points} points of ${WRITERS} runs acknowledged, 0 lost, 0 doubled, in ` +
        `${lasted} ms with ${outage} ms of outages; ${atKill} before the first kill, ${left} spooled at the second; ` +
        `${observer.looks} looks, ${observer.finished} at finished runs`,
    );
  });
});

/** A promise that somebody else resolves. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
