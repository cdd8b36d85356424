import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BullMQRoom } from '../support/bullmq-room.js';
import { neededService } from '../support/needed-service.js';

const redis = neededService('redis');
const LIMITER = { max: 5, duration: 500 };
const TASKS = 25;

describe.skipIf(redis.missing)(`a limiter over two plugins${redis.note}`, { timeout: 60_000 }, () => {
  let room: BullMQRoom;
  beforeEach(() => void (room = new BullMQRoom(redis.address)));
  afterEach(() => room.close());

  /** When each task of a queue was started, in ms, and by which plugin. */
  async function starts(queue: string): Promise<{ at: number; by: number }[]> {
    const started: { at: number; by: number }[] = [];
    const queues = { limited: { limiter: LIMITER }, free: {} };
    const plugins = await Promise.all([room.plugin({ queues }), room.plugin({ queues })]);
    for (const [by, plugin] of plugins.entries()) {
      await plugin.registerTask('ours', () => void started.push({ at: performance.now(), by }));
    }
    const [submitter] = plugins;
    const ids = await submitter?.submitTasks(Array.from({ length: TASKS }, () => ({ name: 'ours', queue })));
    await Promise.all((ids ?? []).map((id) => submitter?.getResult(id, { timeout: 30_000 })));
    return started.sort((one, other) => one.at - other.at);
  }

  it('holds for both together', async () => {
    const all = await starts('limited');
    expect(all).toHaveLength(TASKS);
    expect(new Set(all.map(({ by }) => by)).size).toBe(2);
    const took = (all.at(-1)?.at ?? 0) - (all[0]?.at ?? 0);
    // The first ones of each window start together; what a handler sees may be a little later than that.
    const windows = TASKS / LIMITER.max - 1;
    expect(took).toBeGreaterThanOrEqual(windows * LIMITER.duration - 100);
    // Redis' windows begin with their first task, so two of them can touch in any stretch of one's length.
    for (const { at } of all) {
      const within = all.filter((other) => other.at >= at && other.at < at + LIMITER.duration - 50);
      expect(within.length).toBeLessThanOrEqual(2 * LIMITER.max);
    }
  });

  it('is not there on a queue without one', async () => {
    const all = await starts('free');
    expect((all.at(-1)?.at ?? 0) - (all[0]?.at ?? 0)).toBeLessThan((TASKS / LIMITER.max - 1) * LIMITER.duration - 100);
  });
});
