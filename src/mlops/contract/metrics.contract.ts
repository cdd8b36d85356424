import assert from 'node:assert/strict';
import {
  collect,
  contractSubject,
  rejectsWith,
  type ContractHarness,
  type ContractRunner,
} from '../../core/contract.js';
import type { MLOpsPlugin } from '../mlops.plugin.js';

/** @internal Contract of metrics: logging, latest values, histories. */
export function metricsContract(runner: ContractRunner, harness: ContractHarness<MLOpsPlugin>): void {
  const { describe, it } = runner;
  describe('metrics', () => {
    const subject = contractSubject(runner, harness);
    let runId: string;
    runner.beforeEach(async () => {
      runId = (await subject.plugin.startRun(await subject.plugin.createExperiment('metrics'))).runId;
    });
    const history = (key: string) => collect(subject.plugin.getMetricHistory(runId, key));

    it('logMetric stores a point with step and timestamp, by default 0 and now', async () => {
      const { plugin } = subject;
      await plugin.logMetric(runId, 'loss/a', 0.1 + 0.2, { step: 3, timestamp: 1_700_000_000_123 });
      await plugin.logMetric(runId, 'now', -1e-300);
      assert.deepEqual(await history('loss/a'), [
        { key: 'loss/a', value: 0.1 + 0.2, timestamp: 1_700_000_000_123, step: 3 },
      ]);
      const [point] = await history('now');
      assert.deepEqual([point?.value, point?.step], [-1e-300, 0]);
      assert.ok(Math.abs((point?.timestamp ?? 0) - Date.now()) < 60_000);
    });

    it('logMetrics takes a record with one step and timestamp, or a list of points', async () => {
      const { plugin } = subject;
      await plugin.logMetrics(runId, { a: 1, b: 2 }, { step: 7, timestamp: 5 });
      await plugin.logMetrics(runId, [
        { key: 'a', value: 3, step: 8, timestamp: 6 },
        { key: 'c', value: 4, step: -2, timestamp: 6 },
      ]);
      const { metrics } = await plugin.getRun(runId);
      assert.deepEqual(metrics, {
        a: { key: 'a', value: 3, timestamp: 6, step: 8 },
        b: { key: 'b', value: 2, timestamp: 5, step: 7 },
        c: { key: 'c', value: 4, timestamp: 6, step: -2 },
      });
    });

    it('logMetrics with a list takes its options as the defaults of each point', async () => {
      const { plugin } = subject;
      const list = [
        { key: 'a', value: 1 },
        { key: 'b', value: 2, step: 8 },
        { key: 'c', value: 3, timestamp: 6 },
      ];
      await plugin.logMetrics(runId, list, { step: 5, timestamp: 4 });
      assert.deepEqual((await plugin.getRun(runId)).metrics, {
        a: { key: 'a', value: 1, timestamp: 4, step: 5 },
        b: { key: 'b', value: 2, timestamp: 4, step: 8 },
        c: { key: 'c', value: 3, timestamp: 6, step: 5 },
      });
    });

    it('the latest value is the one of the greatest step, then timestamp, then value, not the last written', async () => {
      const { plugin } = subject;
      const points: [number, number, number][] = [
        [5, 100, 1],
        [9, 50, 2],
        [9, 60, 3],
        [9, 60, 2.5],
        [2, 999, 4],
      ];
      for (const [step, timestamp, value] of points) await plugin.logMetric(runId, 'm', value, { step, timestamp });
      assert.deepEqual((await plugin.getRun(runId)).metrics['m'], { key: 'm', value: 3, timestamp: 60, step: 9 });
    });

    it('a history comes by step, then timestamp, and equal points are stored once', async () => {
      const { plugin } = subject;
      const point = { key: 'm', value: 1, step: 1, timestamp: 10 };
      await plugin.logBatch(runId, { metrics: [point, { ...point, step: 0, timestamp: 99 }, point] });
      await plugin.logBatch(runId, { metrics: [point, { ...point, timestamp: 5 }] });
      assert.deepEqual(
        (await history('m')).map(({ step, timestamp }) => [step, timestamp]),
        [
          [0, 99],
          [1, 5],
          [1, 10],
        ],
      );
    });

    it('NaN stays NaN and infinities become the greatest doubles', async () => {
      const { plugin } = subject;
      for (const [step, value] of [NaN, Infinity, -Infinity].entries())
        await plugin.logMetric(runId, 'm', value, { step });
      await plugin.logMetric(runId, 'nan', NaN);
      assert.deepEqual(
        (await history('m')).map((point) => point.value),
        [NaN, Number.MAX_VALUE, -Number.MAX_VALUE],
      );
      assert.ok(Number.isNaN((await plugin.getRun(runId)).metrics['nan']?.value));
    });

    it('doubles come back exactly', async () => {
      const { plugin } = subject;
      const values = [
        Number.MIN_VALUE,
        Number.EPSILON,
        1 / 3,
        2 ** 53 + 2,
        1.7976931348623155e308,
        123456789.12345679,
        -5e-324,
      ];
      const random = Array.from({ length: 300 }, (_, i) => Math.sin(i) * 10 ** ((i % 80) - 40));
      const all = [...values, ...random];
      await plugin.logMetrics(
        runId,
        all.map((value, step) => ({ key: 'm', value, step, timestamp: 1 })),
      );
      assert.deepEqual(
        (await history('m')).map((point) => point.value),
        all,
      );
    });

    it('fractions of step and timestamp are cut off', async () => {
      await subject.plugin.logMetric(runId, 'm', 1, { step: 2.9, timestamp: 1_700_000_000_000.7 });
      assert.deepEqual(await history('m'), [{ key: 'm', value: 1, step: 2, timestamp: 1_700_000_000_000 }]);
    });

    it('a bad item is INVALID_ARGUMENT, and nothing of its batch is stored', async () => {
      const { plugin } = subject;
      const good = { key: 'good', value: 1 };
      const bad = [
        { key: 'a//b', value: 1 },
        { key: '../up', value: 1 },
        { key: '/abs', value: 1 },
        { key: 'x'.repeat(251), value: 1 },
        { key: '', value: 1 },
        { key: 'em😀ji', value: 1 },
        { key: 'v', value: '1' as unknown as number },
        { key: 's', value: 1, step: NaN },
        { key: 't', value: 1, timestamp: -1 },
        { key: 't', value: 1, timestamp: Infinity },
      ];
      for (const item of bad) {
        const batch = { metrics: [good, item], params: { p: '1' }, tags: { t: '1' } };
        const error = await rejectsWith(() => plugin.logBatch(runId, batch), 'INVALID_ARGUMENT');
        assert.ok(error.message.includes(item.key.slice(0, 20)), error.message);
      }
      const run = await plugin.getRun(runId);
      assert.deepEqual([run.metrics, run.params, run.tags['t']], [{}, {}, undefined]);
    });

    it('many points of calls that nobody awaited one by one are all there, in order', async () => {
      const { plugin } = subject;
      const writes = Array.from({ length: 500 }, (_, step) => plugin.logMetric(runId, 'm', step / 7, { step }));
      const read = await history('m');
      assert.equal(read.length, 500, 'a read sees writes that were made before it and not awaited');
      await Promise.all(writes);
      assert.deepEqual(
        read.map((point) => point.value),
        Array.from({ length: 500 }, (_, step) => step / 7),
      );
    });

    it('of calls side by side a bad one fails alone', async () => {
      const { plugin } = subject;
      const calls = [
        plugin.logMetric(runId, 'a', 1),
        plugin.logMetric(runId, 'bad//key', 1),
        plugin.logMetric('f'.repeat(32), 'a', 1),
        plugin.logMetric(runId, 'b', 2),
      ];
      const results = await Promise.allSettled(calls);
      assert.deepEqual(
        results.map((result) => result.status),
        ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
      );
      assert.deepEqual(Object.keys((await plugin.getRun(runId)).metrics), ['a', 'b']);
    });

    it('a history longer than any page is complete', async () => {
      const { plugin } = subject;
      const points = Array.from({ length: 30_000 }, (_, i) => ({
        key: 'm',
        value: i,
        step: i >> 1,
        timestamp: 1 + (i & 1),
      }));
      for (let start = 0; start < points.length; start += 10_000) {
        await plugin.logMetrics(runId, points.slice(start, start + 10_000));
      }
      let next = 0;
      for await (const { value } of plugin.getMetricHistory(runId, 'm')) assert.equal(value, next++);
      assert.equal(next, points.length);
    });

    it('points that share step and timestamp are not lost between pages', async () => {
      const { plugin } = subject;
      const metrics = Array.from({ length: 26_000 }, (_, value) => ({ key: 'm', value, step: 0, timestamp: 1 }));
      await plugin.logMetrics(runId, metrics);
      const values = new Set((await history('m')).map((point) => point.value));
      assert.equal(values.size, metrics.length);
    });

    it('a history can be left early and is aborted by its signal', async () => {
      const { plugin } = subject;
      await plugin.logMetrics(
        runId,
        Array.from({ length: 10 }, (_, step) => ({ key: 'm', value: 1, step })),
      );
      for await (const point of plugin.getMetricHistory(runId, 'm')) {
        assert.equal(point.step, 0);
        break;
      }
      const controller = new AbortController();
      await rejectsWith(async () => {
        for await (const point of plugin.getMetricHistory(runId, 'm', { signal: controller.signal })) {
          if (point.step === 2) controller.abort();
          assert.ok(point.step < 3);
        }
      }, 'ABORTED');
    });

    it('an unknown key has an empty history, an unknown run is NOT_FOUND', async () => {
      assert.deepEqual(await history('none'), []);
      await rejectsWith(() => subject.plugin.getMetricHistory('f'.repeat(32), 'm'), 'NOT_FOUND');
      await rejectsWith(() => subject.plugin.logMetric('f'.repeat(32), 'm', 1), 'NOT_FOUND');
    });

    it('flush resolves when everything logged before is stored', async () => {
      const { plugin } = subject;
      let stored = 0;
      const writes = Array.from({ length: 20 }, async (_, step) => {
        await plugin.logMetric(runId, 'm', step, { step });
        stored += 1;
      });
      await plugin.flush();
      // The promises of the writes may settle in the same turn, after that of the flush.
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(stored, 20);
      await Promise.all(writes);
      assert.equal((await history('m')).length, 20);
    });
  });
}
