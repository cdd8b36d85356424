import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkBatch, type CheckedBatch } from '../../../mlops.validation.js';
import { BATCH_LIMITS, splitBatch } from './log-batch.split.js';
import { wireMetric, wirePairs } from './wire.js';

const record = (count: number, value: string): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, value]));
const points = (count: number, key = 'm') => Array.from({ length: count }, (_, step) => ({ key, value: step, step }));
const sizes = (batch: CheckedBatch) =>
  splitBatch(batch).map(({ params, tags, metrics }) => [params.length, tags.length, metrics.length]);

function bytesOf({ metrics, params, tags }: CheckedBatch): number {
  const body = {
    run_id: 'f'.repeat(32),
    params: wirePairs(params),
    tags: wirePairs(tags),
    metrics: metrics.map(wireMetric),
  };
  return Buffer.byteLength(JSON.stringify(body));
}

describe('splitBatch', () => {
  it('an empty batch gives no request, one that fits is sent as it is', () => {
    expect(splitBatch(checkBatch({}))).toEqual([]);
    const batch = checkBatch({ metrics: points(800), params: record(100, 'x'), tags: record(100, 'y') });
    expect(splitBatch(batch)).toEqual([batch]);
    expect(splitBatch(batch)[0]).toBe(batch);
  });

  it('params come first and alone until the last of them, then tags, then metrics', () => {
    const batch = checkBatch({ metrics: points(2_500), params: record(250, 'x'), tags: record(250, 'y') });
    expect(sizes(batch)).toEqual([
      [100, 0, 0],
      [100, 0, 0],
      [50, 100, 0],
      [0, 100, 0],
      [0, 50, 950],
      [0, 0, 1_000],
      [0, 0, 550],
    ]);
  });

  it('long values are cut by bytes, as JSON writes them', () => {
    const long = '\u0001'.repeat(6_000);
    const requests = splitBatch(checkBatch({ params: record(100, long), tags: record(100, '漢'.repeat(8_000)) }));
    expect(requests.length).toBeGreaterThan(4);
    for (const request of requests) expect(bytesOf(request)).toBeLessThanOrEqual(1_000_000);
    expect(requests.flatMap(({ params }) => params)).toHaveLength(100);
  });

  it('a thousand metrics of the longest keys fit one request', () => {
    const batch = checkBatch({
      metrics: points(1_000, '漢'.repeat(250)).map((point) => ({
        ...point,
        value: -Number.MAX_VALUE,
        step: -(2 ** 53) + 1,
        timestamp: 2 ** 53 - 1,
      })),
    });
    expect(sizes(batch)).toEqual([[0, 0, 1_000]]);
    expect(
      splitBatch(batch)
        .map(bytesOf)
        .every((bytes) => bytes < 1_000_000),
    ).toBe(true);
  });

  it('whatever it holds: nothing is lost, the order stays, each request is within the limits', () => {
    const text = fc.oneof(fc.string({ maxLength: 30 }), fc.constantFrom('ü'.repeat(5_900), '\n'.repeat(6_000), '"\\'));
    const shape = fc.record({ params: fc.nat(320), tags: fc.nat(320), metrics: fc.nat(2_400), value: text });
    fc.assert(
      fc.property(shape, ({ params, tags, metrics, value }) => {
        const batch = checkBatch({
          metrics: points(metrics),
          params: record(params, value),
          tags: record(tags, value),
        });
        const requests = splitBatch(batch);
        expect(requests.flatMap((request) => request.params)).toEqual(batch.params);
        expect(requests.flatMap((request) => request.tags)).toEqual(batch.tags);
        expect(requests.flatMap((request) => request.metrics)).toEqual(batch.metrics);
        for (const request of requests) {
          const items = request.params.length + request.tags.length + request.metrics.length;
          expect(items).toBeGreaterThan(0);
          expect(items).toBeLessThanOrEqual(BATCH_LIMITS.items);
          expect(request.params.length).toBeLessThanOrEqual(BATCH_LIMITS.params);
          expect(request.tags.length).toBeLessThanOrEqual(BATCH_LIMITS.tags);
          expect(bytesOf(request)).toBeLessThanOrEqual(1_000_000);
        }
        const last = requests.findLastIndex((request) => request.params.length > 0);
        expect(requests.slice(0, Math.max(0, last)).every((request) => request.tags.length === 0)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
