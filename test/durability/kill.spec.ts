import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Delivery } from '../../src/datastream/index.js';
import { LocalDataStreamPlugin } from '../../src/datastream/drivers/local/local.plugin.js';
import { LocalMLOpsPlugin } from '../../src/mlops/drivers/local/local.plugin.js';
import { LocalTaskQueuePlugin } from '../../src/taskqueue/drivers/local/local.plugin.js';
import { checkCrashImage } from './crash-image.js';
import { killedChild } from './killed-child.js';
import { MLOpsLedger } from './mlops-ledger.js';
import { randomFrom, testSeed } from './seeded-random.js';
import { StreamLedger, streamOptions } from './stream-ledger.js';
import { hasThreads, TaskLedger } from './task-ledger.js';

const SEED = testSeed();
/** Kills at random moments, of all three drivers together; `npm run test:soak` asks for 50. */
const KILLS = Number(process.env['HUB_KILL_ROUNDS'] ?? 12);
const ROUNDS = Math.ceil(KILLS / 3);
const TIMEOUT = 30_000 + ROUNDS * 15_000;
const SOUND = { integrity: ['ok'], foreignKeys: [] };

console.log(`kill tests: HUB_TEST_SEED=${SEED}, ${ROUNDS} kills of each driver`);

describe('kill -9 during writes', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-kill-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Kills `program` again and again in the same folder; `verify` looks at what is there after each kill. */
  async function rounds(
    driver: string,
    file: string,
    ledger: { add: StreamLedger['add']; readonly acknowledged: number },
    verify: (round: number) => Promise<string>,
  ): Promise<void> {
    const random = randomFrom(SEED);
    let lived = 0;
    let found = '';
    for (let round = 1; round <= ROUNDS; round += 1) {
      const at = `seed ${SEED}, round ${round}`;
      const seed = Math.floor(random() * 2 ** 31);
      const before = ledger.acknowledged;
      const child = await killedChild(`${driver}.child.ts`, [folder, round, seed], 50 + random() * 350);
      lived += child.lived;
      ledger.add(child.ledger);
      expect(ledger.acknowledged, at).toBeGreaterThan(before);
      expect(await checkCrashImage(folder, file), at).toEqual(SOUND);
      found = await verify(round);
    }
    console.log(
      `${driver}: ${ROUNDS} kills in ${lived} ms of writing, ${ledger.acknowledged} acknowledged, 0 lost; ${found}`,
    );
  }

  it('mlops: everything acknowledged is there, and nothing is torn', { timeout: TIMEOUT }, async () => {
    const ledger = new MLOpsLedger();
    const incoming = join(folder, 'artifacts', '.incoming');
    // Made for the first artifact, which a kill can forestall.
    const halfReceived = () => readdir(incoming).catch((): string[] => []);
    let leftBehind = 0;
    await rounds('mlops', 'mlflow.db', ledger, async () => {
      const halves = await halfReceived();
      leftBehind += halves.length;
      for (const name of halves) await utimes(join(incoming, name), 0, 0);
      const mlops = new LocalMLOpsPlugin({ dataDir: folder });
      await mlops.initialize();
      try {
        expect(await ledger.faults(mlops)).toEqual([]);
        expect(await halfReceived()).toEqual([]);
        return `${ledger.runs} runs, ${leftBehind} half-received artifacts removed`;
      } finally {
        await mlops.shutdown();
      }
    });
  });

  it('datastream: unacked messages come back as redelivered, settled ones do not', { timeout: TIMEOUT }, async () => {
    const ledger = new StreamLedger();
    let redeliveries = 0;
    await rounds('datastream', 'stream.db', ledger, async () => {
      const stream = new LocalDataStreamPlugin(streamOptions(folder));
      await stream.initialize();
      try {
        const found: Delivery[] = [];
        // A requeue with delay was perhaps not over when its process died.
        for (let more = true; more; more = (await stream.queueInfo('work')).delayed > 0) {
          found.push(...(await stream.pullBatch('work', { max: 1_000_000, wait: 50 })));
        }
        const dead = await stream.peekDeadLetters('work', { max: 1_000_000 });
        const { faults, redelivered, messages } = ledger.check(found, dead);
        expect(faults).toEqual([]);
        redeliveries += redelivered;
        return `${messages} messages, ${redeliveries} of them unacked at a kill and redelivered`;
      } finally {
        await stream.shutdown();
      }
    });
    expect(redeliveries).toBeGreaterThan(0);
  });

  it('taskqueue: unfinished tasks run again with attempt + 1, ended ones do not', { timeout: TIMEOUT }, async () => {
    const ledger = new TaskLedger();
    await rounds('taskqueue', 'tasks.db', ledger, async (round) => {
      const tasks = new LocalTaskQueuePlugin({ dataDir: folder, workerThreads: 1 });
      await tasks.initialize();
      try {
        expect(await ledger.checkStored(tasks)).toEqual([]);
        const ran = new Map<string, number[]>();
        const note = ({ taskId, attempt }: { taskId: string; attempt: number }) =>
          ran.set(taskId, [...(ran.get(taskId) ?? []), attempt]);
        await tasks.registerTask('hang', (task) => {
          note(task);
          return 'ended';
        });
        await tasks.registerTask('add', (task) => {
          note(task);
          return Number(task.args[0]) + Number(task.args[1]);
        });
        if (hasThreads(round)) await tasks.registerTasks(new URL('./thread-tasks.ts', import.meta.url));
        expect(await ledger.checkEnds(tasks, ran)).toEqual([]);
        return `${ledger.rerun} tasks ran again`;
      } finally {
        await tasks.shutdown();
      }
    });
    expect(ledger.rerun).toBeGreaterThan(0);
  });

  it('a message that kills its process each time ends as a dead letter', { timeout: 60_000 }, async () => {
    const options = { dataDir: folder, durability: 'process' as const, maxPayloadBytes: 1_024, queues: [] };
    const stream = new LocalDataStreamPlugin(options);
    await stream.initialize();
    await stream.createQueue('poisoned', { deliveryLimit: 2 });
    await stream.sendData('poisoned', 'poison', { messageId: 'poison' });
    await stream.shutdown();
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      expect((await killedChild('poison.child.ts', [folder, 'message'])).ledger).toEqual([['taken', attempt]]);
    }
    await stream.initialize();
    const letters = await stream.peekDeadLetters('poisoned');
    expect(letters).toMatchObject([{ messageId: 'poison', reason: 'delivery-limit', attempt: 2, redelivered: true }]);
    expect(await stream.pullData('poisoned')).toBeNull();
    await stream.shutdown();
  });

  it('a task that kills its process each time ends as a failure', { timeout: 60_000 }, async () => {
    const tasks = new LocalTaskQueuePlugin({ dataDir: folder, attemptLimit: 2 });
    await tasks.initialize();
    await tasks.submitTask('poison', { taskId: 'poison' });
    await tasks.shutdown();
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      expect((await killedChild('poison.child.ts', [folder, 'task'])).ledger).toEqual([['taken', attempt]]);
    }
    await tasks.initialize();
    let ran = false;
    await tasks.registerTask('poison', () => (ran = true));
    await expect(tasks.getResult('poison', { timeout: 5_000 })).rejects.toMatchObject({ code: 'TASK_FAILED' });
    const status = await tasks.getStatus('poison');
    expect(status).toMatchObject({ state: 'FAILURE', attempt: 2, error: { type: 'WorkerLost' } });
    expect(ran).toBe(false);
    await tasks.shutdown();
  });
});
