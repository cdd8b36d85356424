import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import type { TaskProgress } from '../../src/taskqueue/index.js';
import { neededService } from '../support/needed-service.js';
import { OutageRoom } from './outage-room.js';

const python = neededService('python');
const redis = neededService('redis');
/** Most time for what comes back by itself, in ms. */
const BACK = 30_000;
const AWAY = expect.stringMatching(/^(UNAVAILABLE|TIMEOUT)$/) as string;

for (const broker of ['rabbitmq', 'redis'] as const) {
  const service = neededService(broker);
  const missing = python.missing || redis.missing || service.missing;
  const note = [...new Set([python.note, redis.note, service.note])].join('');

  describe.skipIf(missing)(`Celery over ${broker}: a single outage${note}`, { timeout: 90_000 }, () => {
    let room: OutageRoom;
    beforeAll(async () => {
      room = await OutageRoom.open(broker, python.address);
    }, 120_000);
    afterEach(async () => room.restore());
    afterAll(async () => room.close());

    it('a submit while the broker is away waits, and succeeds when it is back', async () => {
      const plugin = await room.plugin();
      room.cut(room.toBroker);
      let settled = false;
      const submit = plugin.submitTask('contract.add', { args: [1, 2] }).finally(() => (settled = true));
      await pause(1_000);
      expect(settled).toBe(false);
      expect((await plugin.healthCheck()).healthy).toBe(false);
      await room.toBroker.accept();
      expect(await plugin.getResult(await submit, { timeout: BACK })).toBe(3);
      await eventually(async () => (await plugin.healthCheck()).healthy, 'health is back', BACK);
    });

    it('a submit that waits for the broker ends by publishTimeout', async () => {
      const plugin = await room.plugin({ publishTimeout: 1_500 });
      room.cut(room.toBroker);
      const start = performance.now();
      await expect(plugin.submitTask('contract.add', { args: [1, 2] })).rejects.toMatchObject({ code: AWAY });
      expect(performance.now() - start).toBeGreaterThan(1_000);
      expect(performance.now() - start).toBeLessThan(4_000);
    });

    it('a submit that waits for the broker can be aborted', async () => {
      const plugin = await room.plugin();
      room.cut(room.toBroker);
      const start = performance.now();
      const submit = plugin.submitTask('contract.add', { args: [1, 2], signal: AbortSignal.timeout(500) });
      await expect(submit).rejects.toMatchObject({ code: 'ABORTED' });
      expect(performance.now() - start).toBeLessThan(3_000);
    });

    it('a submit to a broker that went silent ends by publishTimeout, as a whole', async () => {
      const plugin = await room.plugin({ publishTimeout: 2_000 });
      room.toBroker.freeze();
      const start = performance.now();
      await expect(plugin.submitTask('contract.add', { args: [1, 2] })).rejects.toMatchObject({ code: AWAY });
      expect(performance.now() - start).toBeLessThan(4_000);
    });

    it('getResult goes on over a restart of the Redis with the results', async () => {
      const plugin = await room.plugin();
      const taskId = await plugin.submitTask('contract.sleep', { args: [2_500] });
      const waiting = plugin.getResult(taskId, { timeout: BACK });
      await eventually(async () => (await plugin.getStatus(taskId)).state === 'STARTED', 'it starts', BACK);
      await room.results.restart();
      expect(await waiting).toBe('slept');
    });

    it('tasks that start, report and end while the Redis with the results is away lose nothing', async () => {
      const plugin = await room.plugin();
      // Those that wait start at any time.
      const tasks = Array.from({ length: 40 }, (_, index) => ({
        name: 'contract.progress',
        args: [2, 40],
        taskId: `outage-${broker}-${index}`,
      }));
      const ids = await plugin.submitTasks(tasks);
      const waiting = Promise.allSettled(ids.map((id) => plugin.getResult(id, { timeout: BACK })));
      await eventually(async () => (await plugin.getStatus(ids[4] ?? '')).state === 'SUCCESS', 'some ended', BACK);
      await room.results.stop();
      await pause(1_000);
      await room.results.start();
      const ends = (await waiting).map((end) => (end.status === 'fulfilled' ? end.value : String(end.reason)));
      expect(ends).toEqual(ids.map(() => 2));
    });

    it('getResult that begins while the results are away ends when they are back', async () => {
      const plugin = await room.plugin();
      const taskId = await plugin.submitTask('contract.add', { args: [2, 3] });
      await plugin.getResult(taskId, { timeout: BACK });
      room.cut(room.toResults);
      await eventually(async () => !(await plugin.healthCheck()).healthy, 'health says so', BACK);
      await expect(plugin.getStatus(taskId)).rejects.toMatchObject({ code: AWAY });
      const start = performance.now();
      await expect(plugin.getResult(taskId, { timeout: 500 })).rejects.toMatchObject({ code: 'TIMEOUT' });
      expect(performance.now() - start).toBeLessThan(2_500);
      const waiting = plugin.getResult(taskId, { timeout: BACK });
      await room.toResults.accept();
      expect(await waiting).toBe(5);
    });

    it('getResult while the results are silent ends in time, can be aborted, and leaves nothing behind', async () => {
      const plugin = await room.plugin();
      await plugin.getResult(await plugin.submitTask('contract.add', { args: [2, 3] }), { timeout: BACK });
      room.toResults.freeze();
      const start = performance.now();
      const calls = [
        plugin.getResult('nobody-1', { timeout: 500 }),
        plugin.getResult('nobody-2', { timeout: BACK, signal: AbortSignal.timeout(500) }),
      ];
      const [first, second] = await Promise.allSettled(calls);
      expect(performance.now() - start).toBeLessThan(2_500);
      expect(first).toMatchObject({ reason: { code: 'TIMEOUT' } });
      expect(second).toMatchObject({ reason: { code: 'ABORTED' } });
      room.toResults.thaw();
      await eventually(async () => (await plugin.healthCheck()).healthy, 'health is back', BACK);
      await eventually(
        async () => (await plugin.healthCheck()).details['followed'] === 0,
        'nothing is followed any more',
        5_000,
      );
    });

    it('progress goes on over a lost connection, in order and to the end', async () => {
      const plugin = await room.plugin();
      const taskId = await plugin.submitTask('contract.progress', { args: [30, 100] });
      const reports: TaskProgress[] = [];
      for await (const report of plugin.progress(taskId)) {
        reports.push(report);
        if (reports.length !== 5) continue;
        room.cut(room.toResults);
        setTimeout(() => void room.toResults.accept(), 800);
      }
      const sequences = reports.map(({ sequence }) => sequence);
      expect(sequences).toEqual([...new Set(sequences)].sort((one, other) => one - other));
      expect(sequences.at(-1)).toBe(30);
      // What came after the connection was back, and not the last one only.
      expect(sequences.length).toBeGreaterThan(12);
    });

    for (const how of ['refuses', 'is silent'] as const) {
      it(`shutdown while the broker ${how} ends soon, and so does a submit that waits`, async () => {
        const plugin = await room.plugin();
        await plugin.submitTask('contract.add', { args: [1, 1] });
        if (how === 'refuses') room.cut(room.toBroker);
        else room.toBroker.freeze();
        const submit = plugin.submitTask('contract.add', { args: [1, 2] }).catch((error: unknown) => error);
        const waiting = plugin.getResult('nobody', { timeout: BACK }).catch((error: unknown) => error);
        await pause(300);
        const start = performance.now();
        await plugin.shutdown();
        expect(performance.now() - start).toBeLessThan(8_000);
        expect(await waiting).toMatchObject({ code: 'CLOSED' });
        expect(await submit).toMatchObject({ code: expect.stringMatching(/^(CLOSED|UNAVAILABLE)$/) as string });
        expect(performance.now() - start).toBeLessThan(8_000);
      });
    }

    for (const part of ['toBroker', 'toResults'] as const) {
      it(`initialize ends in time while the connection ${part} is refused or silent, and works afterwards`, async () => {
        const plugin = room.make();
        room.cut(room[part]);
        const start = performance.now();
        await expect(plugin.initialize()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
        expect(performance.now() - start).toBeLessThan(5_000);
        await room[part].accept();
        room[part].freeze();
        const again = performance.now();
        await expect(plugin.initialize()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
        expect(performance.now() - again).toBeLessThan(8_000);
        room[part].thaw();
        await plugin.initialize();
        expect((await plugin.healthCheck()).healthy).toBe(true);
        expect(room.toBroker.connections + room.toResults.connections).toBeLessThanOrEqual(4);
      });
    }
  });
}

describe.skipIf(python.missing || redis.missing || neededService('rabbitmq').missing)(
  `Celery over RabbitMQ with whileDisconnected: fail${python.note}`,
  { timeout: 90_000 },
  () => {
    it('a submit while the broker is away is UNAVAILABLE at once', async () => {
      const room = await OutageRoom.open('rabbitmq', python.address);
      try {
        const plugin = await room.plugin({ amqp: { whileDisconnected: 'fail' } });
        expect(await plugin.getResult(await plugin.submitTask('contract.add', { args: [1, 2] }))).toBe(3);
        room.cut(room.toBroker);
        await eventually(async () => !(await plugin.healthCheck()).healthy, 'health says so', BACK);
        const start = performance.now();
        await expect(plugin.submitTask('contract.add', { args: [1, 2] })).rejects.toMatchObject({
          code: 'UNAVAILABLE',
        });
        expect(performance.now() - start).toBeLessThan(500);
        await room.restore();
      } finally {
        await room.close();
      }
    });
  },
);

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
