import { describe, expect, it } from 'vitest';
import { errorOf, progressOf, recordOf, RECORD_FIELDS, stackOf } from './job-record.js';

type Fields = Partial<Record<(typeof RECORD_FIELDS)[number], string>>;

const record = (fields: Fields, locked = false, expires?: number) =>
  recordOf(
    'id',
    'default',
    RECORD_FIELDS.map((field) => ({ name: 'task', timestamp: '1000', ...fields })[field] ?? null),
    locked,
    expires,
  );

describe('the state of a job', () => {
  const states: Record<string, [Fields, locked: boolean, expected: object]> = {
    'waits for the first time': [{}, false, { state: 'PENDING', attempt: 0, startedAt: null }],
    'was put back': [{ processedOn: '1500' }, false, { state: 'PENDING', attempt: 0, startedAt: null }],
    runs: [{ processedOn: '2000' }, true, { state: 'STARTED', attempt: 1, startedAt: 2000 }],
    'runs and has reported': [{ progress: '5', processedOn: '2000' }, true, { state: 'PROGRESS', attempt: 1 }],
    'runs again after a report': [
      { progress: '{"sequence":2,"attempt":1,"data":null,"timestamp":1}', atm: '1' },
      true,
      { state: 'STARTED', attempt: 2 },
    ],
    'waits after a failure': [
      { atm: '1', failedReason: 'no', stacktrace: '["RangeError: no\\n  at x"]' },
      false,
      { state: 'RETRY', attempt: 1, error: { type: 'RangeError', message: 'no', stack: 'RangeError: no\n  at x' } },
    ],
    'waits after its worker died': [{ stc: '1' }, false, { state: 'RETRY', attempt: 1, error: null }],
    succeeded: [
      { atm: '2', stc: '1', finishedOn: '3000', returnvalue: '7', failedReason: 'before' },
      false,
      { state: 'SUCCESS', attempt: 3, finishedAt: 3000, error: null, result: '7' },
    ],
    failed: [
      { atm: '2', finishedOn: '3000', failedReason: 'no', stacktrace: '["A: x","B: no"]' },
      false,
      { state: 'FAILURE', attempt: 2, error: { type: 'B', message: 'no' } },
    ],
    'lost its workers too often': [
      { atm: '1', stc: '5', finishedOn: '3000', failedReason: 'job stalled more than allowable limit' },
      false,
      { state: 'FAILURE', attempt: 5, error: expect.objectContaining({ type: 'WorkerLost' }) as object },
    ],
    'was cancelled while it ran': [
      { atm: '1', finishedOn: '3000', processedOn: '2000', failedReason: 'TASK_REVOKED: asked' },
      false,
      { state: 'REVOKED', attempt: 1, reason: 'asked', error: null, startedAt: 2000 },
    ],
    'was refused when a worker took it': [
      {
        atm: '1',
        finishedOn: '3000',
        processedOn: '2000',
        failedReason: 'TASK_REVOKED: late',
        stacktrace: '["TaskNotStarted: TASK_REVOKED: late"]',
      },
      false,
      { state: 'REVOKED', attempt: 0, startedAt: null },
    ],
    'will be refused': [{ defa: 'TASK_REVOKED: asked' }, false, { state: 'REVOKED', attempt: 0, reason: 'asked' }],
  };
  for (const [what, [fields, locked, expected]] of Object.entries(states)) {
    it(`one that ${what}`, () => expect(record(fields, locked)).toMatchObject(expected));
  }

  it('expires where it waits, not where it runs or has run', () => {
    const past = Date.now() - 1;
    expect(record({}, false, past)).toMatchObject({ state: 'REVOKED', attempt: 0, finishedAt: past });
    expect(record({}, true, past)?.state).toBe('STARTED');
    expect(record({ atm: '1' }, false, past)?.state).toBe('RETRY');
    expect(record({}, false, past + 60_000)?.state).toBe('PENDING');
  });

  it('is expired when its result was kept for its time', () => {
    const opts = '{"removeOnComplete":{"age":10}}';
    expect(record({ finishedOn: String(Date.now() - 11_000), opts })?.expired).toBe(true);
    expect(record({ finishedOn: String(Date.now() - 5_000), opts })?.expired).toBe(false);
    expect(record({ finishedOn: '1', opts: '{}' })?.expired).toBe(false);
  });

  it('a hash without a name is no job', () => {
    expect(recordOf('id', 'q', [null, '1'], false, undefined)).toBeUndefined();
  });
});

describe('the error of a job', () => {
  const errors: Record<string, [type: string, message: string, stack?: string]> = {
    'an error': ['RangeError', 'too far', 'RangeError: too far\n    at f (x.js:1:1)'],
    'an error of several lines': ['E', 'one\ntwo: three', 'E: one\ntwo: three\n    at f'],
    'an error without a message': ['TypeError', '', 'TypeError\n    at f'],
    'a thrown text': ['string', 'just text'],
    'a type that its stack does not start with': ['PAYLOAD_INVALID', 'big', 'HubError: big\n    at f'],
    'a type with a blank': ['My Error', 'it: happens', 'My Error: it: happens\n    at f'],
  };
  for (const [what, [type, message, stack]] of Object.entries(errors)) {
    it(`${what} comes out as it went in`, () => {
      const stored = JSON.stringify([stackOf({ type, message, ...(stack === undefined ? {} : { stack }) })]);
      expect(errorOf(message, stored)).toMatchObject({ type, message });
    });
  }

  it('a traceback of Python tells its type', () => {
    const stack = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: bad: value\n';
    expect(errorOf('bad: value', JSON.stringify([stack]))).toEqual({
      type: 'ValueError',
      message: 'bad: value',
      stack,
    });
  });

  it('what is no list of stacks is an Error', () => {
    for (const stacks of [null, '', '{', '[]', '[1]', '{"a":1}']) {
      expect(errorOf('no', stacks)).toEqual({ type: 'Error', message: 'no' });
    }
  });
});

describe('the progress of a job', () => {
  it('is what the hub stored, or the first report of another worker', () => {
    const own = { sequence: 2, attempt: 1, data: { a: 1 }, timestamp: 5 };
    expect(progressOf(JSON.stringify(own), 1, null)).toEqual(own);
    expect(progressOf('42', 2, 7)).toEqual({ sequence: 1, attempt: 2, data: 42, timestamp: 7 });
    expect(progressOf('{"a":1}', 0, null)).toEqual({ sequence: 1, attempt: 1, data: { a: 1 }, timestamp: 0 });
    for (const nothing of [null, '', '0', 'null', '{']) expect(progressOf(nothing, 1, 1)).toBeNull();
  });
});
