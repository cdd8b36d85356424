import { describe, expect, it } from 'vitest';
import { CLIENT_TOKEN_TAG } from './client-token.js';
import { loggedModelOf, orderOf } from './logged-models.wire.js';
import {
  experimentOf,
  metricOf,
  modelVersionOf,
  registeredModelOf,
  runOf,
  wireDataset,
  wireDouble,
  wireMetric,
} from './wire.js';

describe('wire', () => {
  it('absent fields and lists become empty ones', () => {
    expect(runOf({})).toEqual({
      runId: '',
      runName: '',
      experimentId: '',
      userId: '',
      status: 'RUNNING',
      startTime: 0,
      endTime: null,
      artifactUri: '',
      lifecycleStage: 'active',
      metrics: {},
      params: {},
      tags: {},
      inputs: [],
    });
    expect(experimentOf(undefined)).toMatchObject({ experimentId: '', lifecycleStage: 'active', tags: {} });
    expect(registeredModelOf({ name: 'm' })).toMatchObject({ description: '', tags: {}, aliases: {} });
    expect(modelVersionOf({ run_id: '' })).toMatchObject({ runId: null, status: 'READY', aliases: [] });
    expect(loggedModelOf({ info: { source_run_id: '' } })).toMatchObject({ sourceRunId: null, status: 'PENDING' });
  });

  it('64-bit integers are read from numbers and from text', () => {
    expect(metricOf({ key: 'm', value: 1, timestamp: '1700000000123', step: '-4' })).toEqual({
      key: 'm',
      value: 1,
      timestamp: 1_700_000_000_123,
      step: -4,
    });
    expect(modelVersionOf({ version: 3 }).version).toBe('3');
    expect(runOf({ info: { end_time: '0' } }).endTime).toBeNull();
    expect(runOf({ info: { end_time: '17' } }).endTime).toBe(17);
  });

  it('doubles that JSON has no number for travel as text', () => {
    expect([metricOf({ value: 'NaN' }).value, metricOf({ value: '-Infinity' }).value]).toEqual([NaN, -Infinity]);
    expect([NaN, Infinity, -Infinity, 1e-300].map(wireDouble)).toEqual(['NaN', 'Infinity', '-Infinity', 1e-300]);
    const point = { key: 'm', value: NaN, timestamp: 1, step: 2 };
    expect(metricOf(JSON.parse(JSON.stringify(wireMetric(point))) as object)).toEqual(point);
  });

  it('metrics of a run are kept by key, and keys that objects treat specially are ordinary ones', () => {
    const pairs = [{ key: '__proto__', value: 'x' }, { key: 'constructor' }];
    const { params, tags, metrics } = runOf({
      data: { metrics: [{ key: '__proto__', value: 2 }], params: pairs, tags: pairs },
    });
    expect(Object.entries(params)).toEqual([
      ['__proto__', 'x'],
      ['constructor', ''],
    ]);
    expect(Object.keys(tags)).toHaveLength(2);
    expect(Object.entries(metrics)).toEqual([['__proto__', { key: '__proto__', value: 2, timestamp: 0, step: 0 }]]);
  });

  it('the client token is not shown', () => {
    const tags = [
      { key: CLIENT_TOKEN_TAG, value: 't' },
      { key: 'a', value: 'b' },
    ];
    expect(runOf({ data: { tags } }).tags).toEqual({ a: 'b' });
    expect(experimentOf({ tags }).tags).toEqual({ a: 'b' });
    expect(registeredModelOf({ tags }).tags).toEqual({ a: 'b' });
    expect(modelVersionOf({ tags }).tags).toEqual({ a: 'b' });
    expect(loggedModelOf({ info: { tags } }).tags).toEqual({ a: 'b' });
  });

  it('aliases become a map, data sets keep what they have', () => {
    const aliases = [
      { alias: 'champion', version: '2' },
      { alias: 'best', version: 1 },
    ];
    expect(registeredModelOf({ aliases }).aliases).toEqual({ champion: '2', best: '1' });
    const bare = { name: 'd', digest: '1', sourceType: 'local', source: '{}' };
    const full = { ...bare, schema: '{}', profile: '{"rows":1}', tags: { a: 'b' } };
    const [first, second] = runOf({
      inputs: { dataset_inputs: [bare, full].map((input) => wireDataset(input)) },
    }).inputs;
    expect(first).toStrictEqual({ ...bare, tags: {} });
    expect(second).toStrictEqual(full);
  });

  it('an order of logged models is field and direction', () => {
    expect(orderOf('metrics.my metric desc ')).toEqual({ field_name: 'metrics.my metric', ascending: false });
    expect(orderOf('name')).toEqual({ field_name: 'name', ascending: true });
    expect(() => orderOf(' ')).toThrow('may not be empty');
  });
});
