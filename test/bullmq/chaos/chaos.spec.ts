import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { randomFrom, shuffled, testSeed } from '../../durability/seeded-random.js';
import { HealthWatch } from '../../support/health-watch.js';
import { readLedgerFiles } from '../../support/ledger-file.js';
import { LogListener } from '../../support/log-listener.js';
import { neededService } from '../../support/needed-service.js';
import { listed } from '../../support/tally.js';
import { TaskLedger } from '../../support/task-ledger.js';
import { Logger } from '@nestjs/common';
import { ChaosLoad } from './chaos-load.js';
import { ChaosScene } from './chaos-scene.js';
import { CHAOS, FALSE_DOWN_MS, FALSE_UP_MS, LOOK_EVERY_MS, RETURN_MS } from './chaos-size.js';

const redis = neededService('redis');
/** Most time of the run, in ms: ten times what it takes. */
const TIMEOUT = 120_000 * CHAOS.rounds + CHAOS.tasks * 30;

describe.skipIf(redis.missing)(`tasks through all kinds of faults${redis.note}`, { timeout: TIMEOUT }, () => {
  const seed = testSeed();
  const random = randomFrom(seed);
  let scene: ChaosScene;
  let watch: HealthWatch | undefined;
  beforeEach(async () => {
    console.log(`chaos: HUB_TEST_SEED=${seed}`);
    Logger.overrideLogger(new LogListener());
    scene = await ChaosScene.open();
  }, TIMEOUT);
  afterEach(async () => {
    await watch?.stop();
    await scene.close();
    Logger.overrideLogger(true);
  });

  it(`${CHAOS.tasks} tasks: none lost, none twice without a fault, and health says what is true`, async () => {
    const { plugin, faults, folder, room } = scene;
    const load = new ChaosLoad(plugin, folder, random);
    watch = new HealthWatch(plugin, () => scene.truth(), { period: LOOK_EVERY_MS });
    const began = performance.now();
    load.start();
    const planned = Array.from({ length: CHAOS.rounds }, () => shuffled(scene.kinds(), random)).flat();
    const backs = new Map<string, number>();
    for (const [index, fault] of planned.entries()) {
      await load.reached(((index + 1) * CHAOS.tasks) / (planned.length + 1), TIMEOUT);
      const working = await scene.suffer(fault);
      const worked = Date.now();
      const back = working + (await load.back('ended', worked, RETURN_MS, fault.kind)) - worked;
      backs.set(fault.kind, Math.max(back, backs.get(fault.kind) ?? 0));
      await watch.up(RETURN_MS, fault.kind);
    }
    await load.reached(CHAOS.tasks, TIMEOUT);
    await load.end();
    const seconds = (performance.now() - began) / 1_000;
    await watch.up(RETURN_MS);
    await watch.stop();

    const ledger = new TaskLedger(readLedgerFiles(folder));
    const lost = ledger.lost();
    const { excused, unexcused } = ledger.judge(faults);
    console.log(
      `chaos: ${load.acknowledged} tasks acknowledged in ${seconds.toFixed(0)} s, ${lost.length} lost, results: ` +
        `${listed(load.ends)}; ${ledger.duplicates} ran again (${listed(excused)}); submits rejected: ${listed(load.rejected)}, ` +
        `${ledger.unsure} tasks given up; back after: ${listed(backs, ' ms')}; health: ${watch.counts}, ` +
        `falsely up ${watch.falseUp.toFixed(0)} ms, falsely down ${watch.falseDown.toFixed(0)} ms`,
    );

    expect(ledger.acknowledged.length).toBe(load.acknowledged);
    expect(ledger.acknowledged.length).toBeGreaterThanOrEqual(CHAOS.tasks);
    expect(ledger.faults).toEqual([]);
    expect(
      lost.map((id) => ledger.story(id)),
      JSON.stringify(faults.faults),
    ).toEqual([]);
    expect([...load.ends]).toEqual([['right', load.acknowledged]]);
    expect(await unfinished(ledger.acknowledged)).toEqual([]);
    expect(unexcused, JSON.stringify(faults.faults)).toEqual([]);
    // Who froze for longer than its locks last has to show that the ledger sees what runs twice.
    expect(excused.get('worker frozen')).toBeGreaterThan(0);

    // Everybody works again, the application without having been restarted.
    const last = Math.max(...faults.faults.map(({ over }) => over));
    const late = ledger.acknowledged.flatMap((id) => ledger.executions(id)).filter((run) => run.began > last);
    expect([...new Set(late.map(({ writer }) => writer))].sort()).toEqual(scene.workers.sort());
    for (const { kind, began: at, ended } of faults.faults) {
      if (!/^Redis (stopped|killed)|^network/.test(kind)) continue;
      const during = watch.samples.filter(
        (sample) => sample.asked > at && sample.answered < ended && sample.away === 'Redis',
      );
      expect(during.length, `looks while there was: ${kind}`).toBeGreaterThan(0);
      expect(during.at(-1), `the last look while there was: ${kind}`).toMatchObject({ healthy: false });
    }
    expect(watch.falseUp).toBeLessThanOrEqual(FALSE_UP_MS);
    expect(watch.falseDown).toBeLessThanOrEqual(FALSE_DOWN_MS);
    expect((await plugin.healthCheck()).details).toMatchObject({ waitedFor: 0, active: 0 });

    /** Ids that Redis itself does not have among those that succeeded. */
    async function unfinished(ids: readonly string[]): Promise<string[]> {
      const found = await room.withRedis((client) => client.zmscore(`${room.prefix}:default:completed`, ...ids));
      return ids.filter((_id, index) => found[index] === null);
    }
  });
});
