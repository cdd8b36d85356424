import { describe, expect, it } from 'vitest';
import { errorOf, progressOf, readMeta, revocationOf, type ResultMeta } from './result-meta.js';

function meta(fields: object): ResultMeta {
  const read = readMeta(JSON.stringify({ task_id: 'one', traceback: null, children: [], ...fields }), 'one');
  if (read === undefined) throw new Error('it was not read');
  return read;
}

describe('readMeta', () => {
  it.each([
    ['PENDING', 'PENDING'],
    ['RECEIVED', 'PENDING'],
    ['STARTED', 'STARTED'],
    ['RETRY', 'RETRY'],
    ['SUCCESS', 'SUCCESS'],
    ['FAILURE', 'FAILURE'],
    ['REVOKED', 'REVOKED'],
    ['REJECTED', 'PENDING'],
    ['PROGRESS', 'PROGRESS'],
    ['HALFWAY', 'PROGRESS'],
    ['toString', 'PROGRESS'],
  ])('%s is %s', (status, state) => {
    expect(meta({ status, result: null })).toMatchObject({ taskId: 'one', status, state, result: null });
  });

  it.each(['', 'null', '[]', '5', '{}', '{"status":5}', '{"task_id":"two","status":"SUCCESS"}', '{"status":"SUCCESS"'])(
    '%s is none',
    (text) => {
      expect(readMeta(text, 'one')).toBeUndefined();
    },
  );

  it('takes the attempt from the helper, or the retries; not from what the task returned', () => {
    expect(meta({ status: 'STARTED', result: { attempt: 3 } }).attempt).toBe(3);
    expect(meta({ status: 'SUCCESS', result: { attempt: 3 } }).attempt).toBeNull();
    expect(meta({ status: 'SUCCESS', result: 1, retries: 2 }).attempt).toBe(3);
  });

  it('reads the time of the end, with and without an offset', () => {
    const at = Date.UTC(2026, 10, 28, 8);
    for (const done of ['2026-11-28T08:00:00+00:00', '2026-11-28T08:00:00', '2026-11-28T10:00:00+02:00']) {
      expect(meta({ status: 'SUCCESS', date_done: done }).finishedAt).toBe(at);
    }
    expect(meta({ status: 'SUCCESS', date_done: 5 }).finishedAt).toBeNull();
  });
});

describe('what a meta says', () => {
  it.each<[unknown, object]>([
    [
      { exc_type: 'ValueError', exc_message: ['a', 1], exc_module: 'm' },
      { type: 'ValueError', message: 'a, 1' },
    ],
    [
      { exc_type: 'TimeLimitExceeded', exc_message: [1] },
      { type: 'TimeLimitExceeded', message: '1' },
    ],
    [
      { exc_type: 'SoftTimeLimitExceeded', exc_message: [] },
      { type: 'SoftTimeLimitExceeded', message: '' },
    ],
    [
      { exc_type: 'E', exc_message: 'text' },
      { type: 'E', message: 'text' },
    ],
    [{}, { type: 'Error', message: '' }],
    [null, { type: 'Error', message: 'no reason is stored' }],
    ['text', { type: 'Error', message: 'text' }],
    [[1, { a: 2 }], { type: 'Error', message: '[1,{"a":2}]' }],
  ])('the error of %j', (result, error) => {
    expect(errorOf(meta({ status: 'FAILURE', result }))).toEqual(error);
    expect(errorOf(meta({ status: 'FAILURE', result, traceback: 'File …' }))).toEqual({ ...error, stack: 'File …' });
  });

  it('why a task is revoked', () => {
    const result = { exc_type: 'TaskRevokedError', exc_message: ['expired'] };
    expect(revocationOf(meta({ status: 'REVOKED', result }))).toBe('expired');
    expect(revocationOf(meta({ status: 'REVOKED', result: { exc_message: [] } }))).toBe('revoked');
  });

  it('the progress, by the helper and without it', () => {
    const report = { sequence: 2, attempt: 3, data: { a: 1 }, timestamp: 5 };
    expect(progressOf(meta({ status: 'PROGRESS', result: report }))).toEqual(report);
    expect(progressOf(meta({ status: 'PROGRESS', result: { done: 1 } }))).toMatchObject({
      ...{ sequence: 1, attempt: 1, data: { done: 1 } },
    });
    expect(progressOf(meta({ status: 'HALFWAY', result: 7 }))?.data).toEqual({ state: 'HALFWAY', meta: 7 });
    expect(progressOf(meta({ status: 'SUCCESS', result: report }))).toBeNull();
  });
});
