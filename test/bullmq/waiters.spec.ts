import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BullMQPlugin } from '../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';
import { BullMQRoom } from '../support/bullmq-room.js';
import { neededService } from '../support/needed-service.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const redis = neededService('redis');
const WAITERS = 10_000;
/** Most of the heap that one waiter takes, in bytes. */
const MOST_PER_WAITER = 10_000;
/** Most that is left of all of them when they have their results, in bytes. */
const MOST_LEFT = 15_000_000;
const TIMEOUT = 120_000;

describe.skipIf(redis.missing)(`many who wait for results${redis.note}`, { timeout: 2 * TIMEOUT }, () => {
  let room: BullMQRoom;
  beforeEach(() => void (room = new BullMQRoom(redis.address)));
  afterEach(() => room.close());

  /** Connections of a plugin, as the server lists them. */
  async function connections(): Promise<number> {
    const list = await room.withRedis(async (client) => String(await client.client('LIST')));
    return list.split('\n').filter((line) => line.includes(`name=${room.prefix}`)).length;
  }

  /** Bytes of the heap that are in use. */
  async function heap(): Promise<number> {
    // Two rounds: what the first one finalizes is freed by the second.
    for (let round = 0; round < 2; round += 1) {
      collectGarbage();
      await wait(50);
    }
    return process.memoryUsage().heapUsed;
  }

  it(`${WAITERS} use the connections of one, and leave no memory behind`, async () => {
    const { submitter, release } = await gated();
    await submitter.getResult(await submitter.submitTask('open'), { timeout: TIMEOUT });
    const tasks = Array.from({ length: WAITERS }, (_item, index) => ({ name: 'gated', args: [index] }));
    const ids = await submitter.submitTasks(tasks);
    const [connectedBefore, heapBefore] = [await connections(), await heap()];
    let sum = 0;
    let waiting: Promise<unknown>[] | undefined = ids.map(async (id) => {
      const result = await submitter.getResult<number>(id, { timeout: TIMEOUT });
      sum += result;
    });
    await wait(1_000);
    const [connectedDuring, heapDuring] = [await connections(), await heap()];
    expect((await submitter.healthCheck()).details).toMatchObject({ waitedFor: WAITERS });
    release();
    await Promise.all(waiting);
    waiting = undefined;
    const [connectedAfter, heapAfter] = [await connections(), await heap()];

    const MiB = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;
    console.log(
      `${WAITERS} waiters: ${connectedBefore}, ${connectedDuring}, ${connectedAfter} connections before, during and ` +
        `after; heap ${MiB(heapBefore)}, ${MiB(heapDuring)}, ${MiB(heapAfter)}`,
    );
    expect(sum).toBe((WAITERS * (WAITERS - 1)) / 2);
    expect(connectedDuring).toBe(connectedBefore);
    expect(connectedAfter).toBe(connectedBefore);
    expect(heapDuring - heapBefore).toBeLessThan(WAITERS * MOST_PER_WAITER);
    expect(heapAfter - heapBefore).toBeLessThan(MOST_LEFT);
    expect((await submitter.healthCheck()).details).toMatchObject({ waitedFor: 0 });
  });

  /** A plugin that submits, and another one whose tasks end when they are released. */
  async function gated(): Promise<{ submitter: BullMQPlugin; release: () => void }> {
    const submitter = await room.plugin();
    const worker = await room.plugin({ concurrency: 100 });
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    await worker.registerTask('open', () => null);
    await worker.registerTask('gated', async ({ args }) => {
      await gate;
      return args[0] ?? null;
    });
    return { submitter, release };
  }
});
