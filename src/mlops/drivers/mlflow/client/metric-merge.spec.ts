import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Metric } from '../../../mlops.types.js';
import { comparePoints, MetricColumns } from './metric-columns.js';
import { mergePages } from './metric-merge.js';

const point = (step: number, timestamp: number, value: number): Metric => ({ key: 'm', step, timestamp, value });
const merged = (...pages: Metric[][]) => [
  ...mergePages(
    pages.map((page) => new MetricColumns(page)),
    'm',
  ),
];

describe('mergePages', () => {
  it('no page and empty pages give nothing', () => {
    expect(merged()).toEqual([]);
    expect(merged([], [])).toEqual([]);
  });

  it('orders by step, then timestamp, then value, with NaN where 0 is', () => {
    const max = Number.MAX_VALUE;
    const expected = [
      point(-1, 9, 0),
      point(0, 1, -max),
      point(0, 1, -1),
      point(0, 1, 0),
      point(0, 1, NaN),
      point(0, 1, 1),
      point(0, 1, max),
      point(0, 2, -5),
    ];
    expect(merged(expected.toReversed())).toEqual(expected);
    expect(merged([point(0, 2, -5), point(0, 1, max)], expected.slice(1, 6), [point(-1, 9, 0)])).toEqual(expected);
  });

  it('a point that two pages hold comes once', () => {
    expect(merged([point(0, 1, NaN), point(1, 2, 3)], [point(1, 2, 3), point(2, 3, 4)])).toEqual([
      point(0, 1, NaN),
      point(1, 2, 3),
      point(2, 3, 4),
    ]);
  });

  it('whatever the pages hold, the result is the sorted set of their points', () => {
    const metric = fc.record({
      key: fc.constant('m'),
      step: fc.integer({ min: -3, max: 3 }),
      timestamp: fc.nat(3),
      value: fc.constantFrom(NaN, 0, 1, -1, 1e308, -1e308),
    });
    fc.assert(
      fc.property(fc.array(fc.array(metric, { maxLength: 20 }), { maxLength: 9 }), (pages) => {
        const unique = new Map(pages.flat().map((item) => [`${item.step} ${item.timestamp} ${item.value}`, item]));
        expect(merged(...pages)).toEqual([...unique.values()].sort(comparePoints));
      }),
    );
  });
});
