import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DIGITS, digits, RealStack, realStack } from '../../support/real-stack.js';
import { HubProcess } from './hub-process.js';
import { labelledRows, type LabelledRows } from './label-source.js';
import { Observer } from './observer.js';

/** How long the load goes on, in s; the soak has five minutes. */
const SECONDS = Number(process.env['HUB_REPLICA_SECONDS'] ?? 20);
const NAME = 'digits-shared';
const ROWS = 400;
/** Rows that are sent in one go, and feedback in one call. */
const PART = 100;
const CHUNK = 10;
const TIMEOUT = SECONDS * 1_000 + 600_000;
const patience = { timeout: 120_000, interval: 100 };

describe.skipIf(realStack.missing)(`two replicas on one stack${realStack.note}`, { timeout: TIMEOUT }, () => {
  let stack: RealStack;
  let observer: Observer;
  let known: LabelledRows;
  const hubs: HubProcess[] = [];
  let sent = 0;

  beforeAll(async () => {
    stack = await RealStack.open('replicas');
    observer = await Observer.open(stack);
    known = await labelledRows(observer.tasks, DIGITS.firstRow, DIGITS.firstRow + ROWS);
    // Small batches: the application's own work is the limit, not the worker's.
    const definition = digits({
      name: NAME,
      streams: { input: `${NAME}.rows`, output: `${NAME}.predictions`, batchSize: 8 },
      policy: { threshold: 0.6, window: 60, cooldown: 200_000, maxRetrains: { count: 1_000, per: 604_800_000 } },
    });
    for (const name of ['one', 'two']) hubs.push(await HubProcess.start(stack, [definition], name));
    await observer.watch(`${NAME}.predictions`);
  }, TIMEOUT);

  afterAll(async () => {
    for (const hub of hubs) await hub.stop();
    await observer?.close();
    await stack?.close();
  });

  /** Sends all rows for as long as it is told; resolves to rows a second. */
  async function load(until: number): Promise<number> {
    const began = performance.now();
    const before = sent;
    while (Date.now() < until) {
      const rows = known.rows.slice(0, PART * 2);
      const first = sent;
      sent += rows.length;
      await observer.send(`${NAME}.rows`, rows, (index) => `row-${first + index}`);
      // Never far ahead of the predictions, and never without any to do.
      await expect.poll(() => sent - observer.predicted.size, patience).toBeLessThan(PART * 2);
    }
    await expect.poll(() => observer.predicted.size, patience).toBe(sent);
    return ((sent - before) / (performance.now() - began)) * 1_000;
  }

  /** Tells labels to the replicas in turn; each item is later than the one before by a second. */
  async function tell(from: number, right: boolean, version: string, count: number): Promise<(string | null)[]> {
    const begun: (string | null)[] = [];
    for (let index = 0; index < count; index += CHUNK * 2) {
      const chunk = (offset: number) =>
        Array.from({ length: CHUNK }, (_unused, position) => ({
          value: right ? 1 : 0,
          version,
          at: (from + index + offset + position) * 1_000,
        }));
      const answers = await Promise.all(hubs.map((hub, turn) => hub.feedback(NAME, chunk(turn * CHUNK))));
      begun.push(...answers.map((answer) => answer.begun));
    }
    return begun;
  }

  it('the model that one has trained is that of both', async () => {
    await hubs[0]?.train(NAME, { at: DIGITS.trainedAt });
    const champion = async () => (await hubs[1]?.status(NAME))?.champion?.version;
    await expect.poll(champion, patience).toBe('1');
  });

  it(`one retrain for each trigger in ${SECONDS} s of load, and no row lost`, async () => {
    const until = Date.now() + SECONDS * 1_000;
    const loading = load(until);
    let clock = DIGITS.firstRow;
    let triggers = 0;
    while (Date.now() < until || triggers < 2) {
      const version = (await observer.mlops.getModelVersionByAlias(NAME, 'champion'))?.version ?? '1';
      // A replica may take up to a second to see what the other one has promoted, and feedback is on the champion.
      for (const hub of hubs) {
        await expect.poll(async () => (await hub.status(NAME)).champion?.version, patience).toBe(version);
      }
      clock += 300;
      // A champion that was not replaced still has its bad window when the cooldown is over: then the first item begins it.
      const answers = [await tell(clock, true, version, 60), await tell(clock + 60, false, version, 120)];
      const begun = answers.flat().filter((runId) => runId !== null);
      triggers += 1;
      // Both replicas see the fall at the same moment; one of them begins.
      expect(begun, `trigger ${triggers}`).toHaveLength(1);
      const idle = async () => (await hubs[1]?.status(NAME))?.inFlight;
      await expect.poll(idle, patience).toBeNull();
      clock += 180;
    }
    const rate = await loading;
    const runs = await observer.runs(NAME);
    const trainings = runs.filter(({ tags }) => tags['hub.kind'] === 'training');
    expect(trainings).toHaveLength(1 + triggers);
    expect(new Set(trainings.map(({ status }) => status))).toEqual(new Set(['FINISHED']));
    expect(runs).toHaveLength(2 + triggers);
    expect(await observer.versions(NAME)).toHaveLength(1 + triggers);
    expect(observer.predicted.size).toBe(sent);
    const took = trainings.map(({ params }) => (JSON.parse(params['hub.claim.follow'] ?? '{}') as { pid: number }).pid);
    console.log(
      `two replicas: ${triggers} triggers, ${triggers} retrains (by ${new Set(took).size} replicas), ${sent} rows, 0 lost, ` +
        `${observer.repeats} twice, ${rate.toFixed(0)} rows/s`,
    );
  });

  it('a second replica takes its share of the rows', async () => {
    const two = await load(Date.now() + 5_000);
    const consumers = (await observer.stream.queueInfo(`${NAME}.rows`)).consumers;
    await hubs[1]?.stop();
    const one = await load(Date.now() + 5_000);
    expect(consumers).toBe(2);
    expect((await observer.stream.queueInfo(`${NAME}.rows`)).consumers).toBe(1);
    console.log(
      `one replica: ${one.toFixed(0)} rows/s, two: ${two.toFixed(0)} rows/s, ratio ${(two / one).toFixed(2)}`,
    );
  });
});
