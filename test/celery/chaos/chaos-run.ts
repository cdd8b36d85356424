import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { randomFrom, shuffled, testSeed } from '../../durability/seeded-random.js';
import { HealthWatch } from '../../support/health-watch.js';
import { readLedgerFiles } from '../../support/ledger-file.js';
import { LogListener } from '../../support/log-listener.js';
import { neededService } from '../../support/needed-service.js';
import { listed, type Tally } from '../../support/tally.js';
import { TaskLedger } from '../../support/task-ledger.js';
import { ChaosLoad } from './chaos-load.js';
import { ChaosScene, type ChaosReturn } from './chaos-scene.js';
import { CHAOS, FALSE_DOWN_MS, FALSE_UP_MS, LATE_MS, RESULT_MS } from './chaos-size.js';
import type { ChaosBroker } from './chaos-stack.js';
import { submitExcuse } from './submit-excuse.js';

/** Most time of the run, in ms: several times what it takes. */
const TIMEOUT = 480_000 * CHAOS.rounds + CHAOS.tasks * 60;

/** The chaos test with one kind of broker, which has to be installed. */
export function chaosRun(kind: ChaosBroker): void {
  const needed = [...new Set(['python', 'redis', kind])].map(neededService);
  const missing = needed.some((service) => service.missing);
  const notes = needed.map(({ note }) => note).join('');

  describe.skipIf(missing)(`Celery over ${kind} through all kinds of faults${notes}`, { timeout: TIMEOUT }, () => {
    const seed = testSeed();
    const random = randomFrom(seed);
    let scene: ChaosScene;
    let watch: HealthWatch | undefined;
    beforeEach(async () => {
      console.log(`chaos: HUB_TEST_SEED=${seed}`);
      Logger.overrideLogger(new LogListener());
      scene = await ChaosScene.open(kind, needed[0]?.address ?? '');
    }, TIMEOUT);
    afterEach(async () => {
      await watch?.stop();
      await scene.close();
      Logger.overrideLogger(true);
    }, TIMEOUT);

    it(`${CHAOS.tasks} tasks: none lost, none twice without a fault, no wait too long, and health says what is true`, async () => {
      const { plugin, faults, folder } = scene;
      const load = new ChaosLoad(plugin, folder, random);
      watch = new HealthWatch(plugin, () => scene.truth());
      const began = performance.now();
      const stalls = monitorEventLoopDelay();
      stalls.enable();
      load.start();
      const planned = Array.from({ length: CHAOS.rounds }, () => shuffled(scene.kinds(), random)).flat();
      const returns: (ChaosReturn & { kind: string; healthy: number })[] = [];
      for (const [index, fault] of planned.entries()) {
        await load.reached(((index + 1) * CHAOS.tasks) / (planned.length + 1), TIMEOUT);
        const back = await scene.suffer(fault, load);
        returns.push({ kind: fault.kind, ...back, healthy: await watch.up(FALSE_DOWN_MS, fault.kind) });
        if (fault.kind === 'results flushed') await expired(load.seen.slice(-20));
      }
      await load.reached(CHAOS.tasks, TIMEOUT);
      await load.end();
      const seconds = (performance.now() - began) / 1_000;
      await watch.up(FALSE_DOWN_MS);
      await watch.stop();

      const ledger = new TaskLedger(readLedgerFiles(folder));
      const { acknowledged } = ledger;
      const late = acknowledged.filter((id) => id.startsWith('late'));
      const early = acknowledged.filter((id) => id.startsWith('early'));
      // Nothing that a driver could prevent: see RedisLog.
      const dropped = await scene.stack.lostByWorkers(ledger.lost(late));
      const lost = ledger.lost(late).filter((id) => !dropped.includes(id));
      const { excused, unexcused } = ledger.judge(faults, (task) => submitExcuse(task, faults));
      console.log(
        `chaos over ${kind}: ${acknowledged.length} tasks acknowledged in ${seconds.toFixed(0)} s; late ack: ` +
          `${late.length}, ${lost.length} lost, ${dropped.length} lost between kombu's BRPOP and HSET, results: ${listed(load.ends.late)}; early ack: ${early.length}, ` +
          `${ledger.lost(early).length} lost, results: ${listed(load.ends.early)}; ${ledger.duplicates} ran again ` +
          `(${listed(excused)}); submits rejected: ${listed(load.rejected)}, ${ledger.repeated} tasks submitted again; ` +
          `${load.results.calls} calls of getResult, ${load.results.hung} hung, the latest ` +
          `${load.results.latest.toFixed(0)} ms after its timeout (longest stall of this process: ${(stalls.max / 1e6).toFixed(0)} ms); workers that ended by themselves: ${scene.crew.crashes.length}; health: ${watch.counts}, falsely up ` +
          `${watch.falseUp.toFixed(0)} ms, falsely down ${watch.falseDown.toFixed(0)} ms; back after (ack, workers, ` +
          `result, ms): ${returns.map((one) => `${one.kind} ${one.acknowledged}/${one.workers}/${one.result}`).join(', ')}`,
      );

      expect(acknowledged.length).toBe(load.acknowledged);
      expect(acknowledged.length).toBeGreaterThanOrEqual(CHAOS.tasks);
      expect(ledger.faults).toEqual([]);
      expect(load.results.hung).toBe(0);
      expect(load.results.latest).toBeLessThan(LATE_MS);
      expect(
        lost.map((id) => ledger.story(id)),
        JSON.stringify(faults.faults),
      ).toEqual([]);
      // Each worker that ends can have one in its hands, and every worker loses its connection when the broker ends.
      expect(dropped.length).toBeLessThanOrEqual(faults.faults.reduce((most, { hits }) => most + hits.length, 0));
      const { right = 0, flushed = 0, TIMEOUT: timeouts = 0, ...others } = Object.fromEntries(load.ends.late);
      expect(others).toEqual({});
      expect(right + flushed + timeouts).toBe(late.length);
      expect(timeouts).toBe(dropped.length);
      // Its process was killed, or its worker: nobody runs it again.
      const ends = ['right', 'flushed', 'TIMEOUT', 'TASK_FAILED'];
      expect([...load.ends.early.keys()].filter((end) => !ends.includes(end))).toEqual([]);
      expect(sum(load.ends.early)).toBe(early.length);
      expect((load.ends.early.get('TIMEOUT') ?? 0) + (load.ends.early.get('TASK_FAILED') ?? 0)).toBeLessThanOrEqual(
        ledger.lost(early).length,
      );
      // The flush hit something, and what it hit had run.
      expect(load.flushed.length).toBeGreaterThan(0);
      expect(ledger.lost(load.flushed)).toEqual([]);
      expect(unexcused, JSON.stringify(faults.faults)).toEqual([]);
      // What is killed in the middle of a task has to show that the ledger sees what runs twice.
      const kills = ['worker killed', 'all workers killed', 'pool process killed'];
      expect(kills.reduce((again, name) => again + (excused.get(name) ?? 0), 0)).toBeGreaterThan(0);

      for (const { kind: name, began: at, ended } of faults.faults) {
        const { away = '' } = planned.find((fault) => fault.kind === name) ?? {};
        if (away === '') continue;
        const during = watch.samples.filter(
          (sample) => sample.asked > at && sample.answered < ended && sample.away?.includes(away),
        );
        expect(during.length, `looks at: ${name}`).toBeGreaterThan(0);
        expect(during.at(-1), `the last look at: ${name}`).toMatchObject({ healthy: false });
      }
      expect(watch.falseUp).toBeLessThanOrEqual(FALSE_UP_MS);
      expect(watch.falseDown).toBeLessThanOrEqual(FALSE_DOWN_MS);
      for (const { kind: name, acknowledged: ack, workers, result } of returns) {
        expect(result - Math.max(ack, workers), name).toBeLessThanOrEqual(RESULT_MS);
      }
      expect((await plugin.healthCheck()).details).toMatchObject({ followed: 0, unconfirmed: 0, workers: 2 });

      /** What was seen to end and is gone is told at once. */
      async function expired(ids: readonly string[]): Promise<void> {
        for (const id of ids) {
          const { code, message } = await load.results.get(id, 5_000);
          // What ended after the flush is still there.
          if (code === undefined) continue;
          const story = new TaskLedger(readLedgerFiles(folder)).story(id);
          expect(code, `${message} ${story} ${JSON.stringify(faults.faults.at(-1))}`).toBe('RESULT_EXPIRED');
        }
      }
    });
  });
}

function sum(counts: Tally): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
