import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomFrom, testSeed } from '../../durability/seeded-random.js';
import { RabbitBroker } from '../../support/rabbit-broker.js';
import { DIGITS, digits, RealStack, realStack } from '../../support/real-stack.js';
import { HubProcess } from './hub-process.js';
import { labelledRows, type LabelledRows } from './label-source.js';
import { Observer } from './observer.js';

/** How often the hub is killed in all; the soak kills it more often. */
const KILLS = Number(process.env['HUB_CHAOS_KILLS'] ?? 6);
/** Most kills during one flow. */
const KILLS_OF_FLOW = 4;
const ROWS = 400;
const CHUNK = 20;
const TIMEOUT = 900_000;
const skipped = realStack.missing || !RabbitBroker.isInstalled;

describe.skipIf(skipped)(`the hub is killed${realStack.note}`, { timeout: TIMEOUT }, () => {
  const seed = testSeed();
  const random = randomFrom(seed);
  // A flow may be over before it was disturbed much.
  const names = Array.from({ length: KILLS }, (_unused, index) => `digits-${index}`);
  const slow = 'digits-slow';
  const restart = 'digits-restart';
  const definitions = [...names, slow, restart].map((name) => digits({ name }));
  let broker: RabbitBroker;
  let stack: RealStack;
  let hub: HubProcess;
  let observer: Observer;
  let known: LabelledRows;

  beforeAll(async () => {
    console.log(`kills: HUB_TEST_SEED=${seed}`);
    broker = await RabbitBroker.create();
    stack = await RealStack.open('kills', broker);
    observer = await Observer.open(stack);
    known = await labelledRows(observer.tasks, DIGITS.firstRow, DIGITS.firstRow + ROWS);
    hub = await HubProcess.start(stack, definitions);
  }, TIMEOUT);

  afterAll(async () => {
    await hub?.stop();
    await observer?.close();
    await stack?.close();
  });

  const champion = async (name: string): Promise<string | null> => (await hub.status(name)).champion?.version ?? null;
  const idle = async (name: string): Promise<boolean> => (await hub.status(name)).inFlight === null;
  const patience = { timeout: 180_000, interval: 200 };

  /** Train, predict by queue, tell the labels, retrain: each step as a caller does it who hears nothing from a dead hub. */
  async function flow(name: string): Promise<void> {
    await hub.train(name, { triggerId: `first-${name}`, at: DIGITS.trainedAt });
    await expect.poll(() => champion(name), patience).toBe('1');
    const id = (index: number): string => `${name}/${index}`;
    await observer.watch(`${name}.predictions`);
    await observer.send(`${name}.rows`, known.rows, id);
    const outputs = () => known.rows.filter((_row, index) => observer.predicted.has(id(index))).length;
    await expect.poll(outputs, patience).toBe(ROWS);
    for (let from = 0; from < ROWS; from += CHUNK) {
      const items = Array.from({ length: CHUNK }, (_unused, offset) => {
        const index = from + offset;
        const { prediction = null, version = '1' } = observer.predicted.get(id(index)) ?? {};
        const actual = known.labels[index] ?? null;
        return { predicted: prediction, actual, version, at: (DIGITS.firstRow + index) * 1_000 };
      });
      await hub.feedback(name, items);
    }
    await expect.poll(() => champion(name), patience).toBe('2');
    await expect.poll(() => idle(name), patience).toBe(true);
  }

  async function expectWhole(name: string, feedbackRepeats: number): Promise<void> {
    const runs = await observer.runs(name);
    const ofKind = (kind: string) => runs.filter(({ tags }) => tags['hub.kind'] === kind);
    expect(ofKind('training').map(({ status }) => status)).toEqual(['FINISHED', 'FINISHED']);
    expect(ofKind('control')).toHaveLength(1);
    expect(runs).toHaveLength(3);
    const versions = await observer.versions(name);
    expect(versions.map(({ version, tags }) => [version, tags['hub.decision']])).toEqual([
      ['1', 'promoted'],
      ['2', 'promoted'],
    ]);
    expect((await observer.mlops.getModelVersionByAlias(name, 'champion'))?.version).toBe('2');
    const items = Object.entries(ofKind('control')[0]?.metrics ?? {})
      .filter(([key]) => key.startsWith('feedback/v1/'))
      .reduce((sum, [, { step }]) => sum + step, 0);
    // What was not answered may have been stored, and is told again.
    expect(items).toBeGreaterThanOrEqual(ROWS);
    expect(items).toBeLessThanOrEqual(ROWS + feedbackRepeats * CHUNK);
  }

  it(`${KILLS} times, at random moments: the same final state, no row lost, no run left running`, async () => {
    let flows = 0;
    for (const name of names) {
      if (hub.kills >= KILLS) break;
      flows += 1;
      const before = hub.kills;
      let over = false;
      const killing = (async () => {
        while (!over && hub.kills - before < KILLS_OF_FLOW) {
          // The quick steps take less than a second, the slow ones several.
          await sleep(random() < 0.5 ? random() * 800 : random() * 3_000);
          if (over) break;
          await hub.kill();
          await hub.start();
        }
      })();
      const repeats = hub.repeats;
      await flow(name);
      over = true;
      await killing;
      await expectWhole(name, hub.repeats - repeats);
    }
    console.log(
      `the hub was killed ${hub.kills} times in ${flows} flows: ${flows * ROWS} rows, 0 lost, ${observer.repeats} predicted ` +
        `twice, ${hub.repeats} calls made again`,
    );
    expect(hub.kills).toBeGreaterThanOrEqual(KILLS);
    expect(await hub.log()).not.toMatch(/UnhandledPromiseRejection|TypeError/);
  });

  it('a worker is killed during a training: it goes on elsewhere, and one version comes of it', async () => {
    const { runId } = await hub.train(slow, { triggerId: 'slow', at: DIGITS.trainedAt, params: { trees: 1_200 } });
    const reported = async () => (await observer.mlops.getRun(runId)).metrics['accuracy']?.step ?? 0;
    await expect.poll(reported, { timeout: 60_000, interval: 20 }).toBeGreaterThan(0);
    expect((await observer.mlops.getRun(runId)).status).toBe('RUNNING');
    for (const worker of stack.workers) await worker.kill();
    await stack.startWorker();
    await expect.poll(() => champion(slow), patience).toBe('1');
    const { status, tags } = await observer.mlops.getRun(runId);
    expect(status).toBe('FINISHED');
    expect((await observer.versions(slow)).map((version) => version.runId)).toEqual([runId]);
    expect(await observer.tasks.getStatus(tags['hub.task_id'] ?? '')).toMatchObject({ state: 'SUCCESS', attempt: 2 });
  });

  it('the broker restarts during predictions: no row is lost', async () => {
    await hub.train(restart, { triggerId: 'restart', at: DIGITS.trainedAt });
    await expect.poll(() => champion(restart), patience).toBe('1');
    const id = (index: number): string => `${restart}/${index}`;
    await observer.watch(`${restart}.predictions`);
    await observer.send(`${restart}.rows`, known.rows, id);
    const outputs = () => known.rows.filter((_row, index) => observer.predicted.has(id(index))).length;
    await expect.poll(outputs, { timeout: 60_000, interval: 5 }).toBeGreaterThan(0);
    const before = outputs();
    await broker.restart();
    expect(before).toBeLessThan(ROWS);
    await expect.poll(outputs, patience).toBe(ROWS);
    expect((await observer.stream.queueInfo(`${restart}.rows`)).deadLetters).toBe(0);
  });
});
