import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../core/json.js';
import { parseEvaluateResult, parsePredictResult, parseProgress, parseTrainResult } from './task-contract.js';

describe('results of tasks', () => {
  it.each<JsonValue>([null, 'done', [], {}, { model: 'x' }, { model: { path: '' } }, { model: { logged: 'yes' } }])(
    'refuses %j as a train result',
    (value) => {
      expect(() => parseTrainResult(value, 't')).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }));
    },
  );

  it('refuses metrics that are no numbers and params that are no plain values', () => {
    const model = { json: 1 };
    const wrongs: JsonObject[] = [{ metrics: { a: '1' } }, { params: { a: [1] } }, { tags: { a: null } }];
    for (const wrong of wrongs) {
      expect(() => parseTrainResult({ model, ...wrong }, 't')).toThrow(/"t"/);
    }
    expect(parseTrainResult({ model: { json: null }, metrics: { a: 1 } }, 't')).toEqual({
      model: { json: null },
      metrics: { a: 1 },
    });
  });

  it('takes predictions alone or with errors, and hides what stands for a bad row', () => {
    expect(parsePredictResult([1, 2], 2, 'p')).toEqual({ predictions: [1, 2], errors: {} });
    expect(parsePredictResult({ predictions: [1, 0], errors: { 1: 'bad' } }, 2, 'p')).toEqual({
      predictions: [1, null],
      errors: { 1: 'bad' },
    });
    expect(() => parsePredictResult([1], 2, 'p')).toThrow(/1 predictions for 2 rows/);
    expect(() => parsePredictResult('x', 1, 'p')).toThrow(/array of predictions/);
  });

  it('wants one numeric score for each model', () => {
    expect(parseEvaluateResult({ scores: [0.5, 0.6] }, 2, 'e')).toEqual([0.5, 0.6]);
    for (const wrong of [{ scores: [1] }, { scores: [1, 'a'] }, [1, 2]]) {
      expect(() => parseEvaluateResult(wrong, 2, 'e')).toThrow(/"e"/);
    }
  });

  it('lets progress pass that is not meant for metrics', () => {
    expect(parseProgress({ step: 3, metrics: { loss: 1, note: 'x' } })).toEqual({ step: 3, metrics: { loss: 1 } });
    expect(parseProgress('half way')).toBeNull();
  });
});
