import { describe, expect, it } from 'vitest';
import { HubError } from '../../../../core/errors.js';
import { parseFilter, parseOrder } from './filter.parser.js';

const positionOf = (read: () => unknown): unknown => {
  try {
    return { read: read() };
  } catch (error) {
    return HubError.is(error, 'INVALID_ARGUMENT') ? error.details['position'] : error;
  }
};

describe('parseFilter', () => {
  it.each([
    ['metrics.acc > 1', 'metric', 'acc', '>', 1],
    ['metric.`a b`>=-1.5e-3', 'metric', 'a b', '>=', -0.0015],
    ['METRICS."x/y" <> .5', 'metric', 'x/y', '!=', 0.5],
    ['metrics.val/loss-1 <= 2', 'metric', 'val/loss-1', '<=', 2],
    ['metrics.1st < 2', 'metric', '1st', '<', 2],
    ["params.lr = '0.1'", 'param', 'lr', '=', '0.1'],
    ['parameters.lr != "it\'s"', 'param', 'lr', '!=', "it's"],
    ["tags.mlflow.source.name like '%''x'", 'tag', 'mlflow.source.name', 'LIKE', "%'x"],
    ['tags.`a``b', undefined, '', '', 0],
    ["tag.x ILIKE 'ÜX'", 'tag', 'x', 'ILIKE', 'ÜX'],
    ["run.status = 'FAILED'", 'attribute', 'status', '=', 'FAILED'],
    ["attr.run_id in ('a','b', \"c\")", 'attribute', 'run_id', 'IN', ['a', 'b', 'c']],
    ["name NOT IN ('a')", 'attribute', 'name', 'NOT IN', ['a']],
    ["datasets.name = 'd'", 'dataset', 'name', '=', 'd'],
  ] as const)('%s', (filter, entity, key, operator, value) => {
    if (entity === undefined) expect(positionOf(() => parseFilter(filter))).toBe(8);
    else expect(parseFilter(filter)).toEqual([{ entity, key, operator, value, position: 0 }]);
  });

  it('reads comparisons joined by AND, in any case, and none of an empty filter', () => {
    const found = parseFilter("a = 'and' AND metrics.b > 1\n and tags.c = ' AND '");
    expect(found.map(({ key, value, position }) => [key, value, position])).toEqual([
      ['a', 'and', 0],
      ['b', 1, 14],
      ['c', ' AND ', 33],
    ]);
    expect(parseFilter('  ')).toEqual([]);
  });

  it.each([
    ['metrics.a >', 11],
    ['metrics.a', 9],
    ['metrics. > 1', 9],
    ['metrics.a > 1 or metrics.b > 2', 14],
    ['metrics.a > 1 and', 17],
    ['(metrics.a > 1)', 0],
    ["tags.a = 'open", 9],
    ['tags.a ~ 1', 7],
    ['models.a = 1', 0],
    ['a NOT LIKE 1', 2],
    ["a IN 'x'", 5],
    ["a IN ('x'", 9],
    ['a IN ()', 6],
    ['a = b', 4],
    ["a = 'x'; DROP TABLE runs", 7],
    ['metrics.a > 1x', 12],
  ])('%s is refused at its place', (filter, position) => {
    expect(positionOf(() => parseFilter(filter))).toBe(position);
  });
});

describe('parseOrder', () => {
  it.each<unknown>([5, null, undefined, ['a']])('%j is no order', (order) => {
    expect(() => parseOrder(order as string)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('reads key and direction', () => {
    expect(parseOrder('metrics.`a b` DESC')).toEqual({ entity: 'metric', key: 'a b', position: 0, descending: true });
    expect(parseOrder('start_time')).toEqual({
      entity: 'attribute',
      key: 'start_time',
      position: 0,
      descending: false,
    });
    expect(parseOrder('params.x asc')).toMatchObject({ entity: 'param', descending: false });
  });

  it.each([
    ['', 0],
    ['metrics.a UP', 10],
    ['metrics.a DESC, b', 14],
    ['1', 0],
  ])('%s is refused at its place', (order, position) => {
    expect(positionOf(() => parseOrder(order))).toBe(position);
  });
});
