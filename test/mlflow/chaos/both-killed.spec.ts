import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { randomFrom, testSeed } from '../../durability/seeded-random.js';
import { ChaosApp } from './chaos-app.js';
import { backlog, chaosPlugin, WELL } from './chaos-plugin.js';
import { CHAOS } from './chaos-size.js';
import { Observer } from './observer.js';
import { RunLedger } from './run-ledger.js';
import { StockServer } from './stock-server.js';

const PYTHON = process.env['HUB_TEST_PYTHON'];
const SEED = testSeed();
/** Longest time between two events of a round, in ms. */
const LONGEST = 2_000;

describe.skipIf(PYTHON === undefined)('app and MLflow server are both killed', () => {
  let server: StockServer;

  beforeEach(async () => {
    server = await StockServer.create(PYTHON ?? '');
  }, 240_000);
  afterEach(() => server.remove());

  it(
    'what was acknowledged before is replayed by the next app',
    { timeout: 120_000 + CHAOS.rounds * 60_000 },
    async () => {
      const spool = join(server.folder, 'spool');
      const random = randomFrom(SEED);
      const ledger = new RunLedger();
      const observer = new Observer(server.view, ledger, randomFrom(SEED));
      const first = chaosPlugin(server.url, spool);
      await first.initialize();
      const experimentId = await first.createExperiment('both killed');
      await first.shutdown();

      let inherited = 0;
      for (let round = 1; round <= CHAOS.rounds; round += 1) {
        const seed = Math.floor(random() * 2 ** 31);
        const app = new ChaosApp([server.url, spool, experimentId, seed], (line) => ledger.add(line));
        // Every second app starts while the server is still coming up.
        const starting = round === 1 ? Promise.resolve() : server.start();
        if (round % 2 === 1) await starting;
        await Promise.all([starting, app.open()]);
        await setTimeout(200 + random() * LONGEST);
        const killServer = async (): Promise<void> => {
          await server.kill();
          await setTimeout(random() * LONGEST);
        };
        // Either of them dies first.
        if (round % 3 === 0) {
          await app.kill();
          await killServer();
        } else {
          await killServer();
          await app.kill();
        }
      }

      const last = chaosPlugin(server.url, spool);
      await server.start();
      await last.initialize();
      try {
        inherited = await backlog(last);
        await last.flush();
        expect(await last.healthCheck()).toMatchObject(WELL);
        expect(await ledger.faults(server.view, experimentId)).toEqual([]);
        expect(await observer.stop()).toEqual([]);
        expect(ledger.points).toBeGreaterThan(CHAOS.rounds * 100);
      } finally {
        await last.shutdown();
      }
      console.log(
        `app and server killed ${CHAOS.rounds} times (seed ${SEED}): ${ledger.points} points of ${ledger.runIds.length} runs ` +
          `acknowledged, 0 lost, 0 doubled; ${inherited} were spooled at the end; ${observer.looks} looks, ` +
          `${observer.finished} at finished runs`,
      );
    },
  );
});
