import { describe, expect, it } from 'vitest';
import { celeryRecord } from './celery-record.js';
import { readMeta } from './results/result-meta.js';

const DAY = 86_400_000;
const note = { name: 'add', queue: 'celery', submittedAt: 1_000, due: 1_000 };
const fresh = { ...note, submittedAt: Date.now(), due: Date.now() };

function meta(status: string, result: unknown, more: object = {}) {
  return readMeta(JSON.stringify({ task_id: 'one', status, result, traceback: null, ...more }));
}

describe('celeryRecord', () => {
  it('an id of which nothing is known has no name', () => {
    expect(celeryRecord('one', {}, undefined, DAY)).toMatchObject({
      ...{ taskId: 'one', name: null, state: 'PENDING', attempt: 0, expired: false, submittedAt: null },
    });
  });

  it('a task that was submitted has its name and queue, from here or from the note of another hub', () => {
    for (const [stored, known] of [
      [{ note: fresh }, undefined],
      [{}, { note: fresh, ended: false }],
    ] as const) {
      expect(celeryRecord('one', stored, known, DAY)).toMatchObject({
        ...{ name: 'add', queue: 'celery', state: 'PENDING', submittedAt: fresh.submittedAt, expired: false },
      });
    }
  });

  it('is expired when its end was seen, or its time is long past, and nothing is stored', () => {
    expect(celeryRecord('one', {}, { ended: true }, DAY).expired).toBe(true);
    expect(celeryRecord('one', { note }, undefined, DAY).expired).toBe(true);
    expect(celeryRecord('one', { note, meta: meta('SUCCESS', 1) }, undefined, DAY).expired).toBe(false);
  });

  it('tells the end: result, error, reason', () => {
    const date_done = '2026-11-28T08:00:00+00:00';
    const finishedAt = Date.UTC(2026, 10, 28, 8);
    expect(celeryRecord('one', { meta: meta('SUCCESS', [1], { date_done }) }, undefined, DAY)).toMatchObject({
      ...{ name: '', state: 'SUCCESS', result: [1], error: null, reason: null, attempt: 1, finishedAt },
    });
    const failure = { exc_type: 'E', exc_message: ['m'] };
    expect(celeryRecord('one', { meta: meta('FAILURE', failure), attempt: 3 }, undefined, DAY)).toMatchObject({
      ...{ state: 'FAILURE', result: null, error: { type: 'E', message: 'm' }, attempt: 3 },
    });
    expect(celeryRecord('one', { meta: meta('REVOKED', { exc_message: ['expired'] }) }, undefined, DAY)).toMatchObject({
      ...{ state: 'REVOKED', error: null, reason: 'expired', attempt: 0 },
    });
  });

  it('a retry has the error of its last attempt, and no end', () => {
    const record = celeryRecord('one', { meta: meta('RETRY', { exc_type: 'E', exc_message: ['m'] }) }, undefined, DAY);
    expect(record).toMatchObject({ state: 'RETRY', error: { type: 'E' }, finishedAt: null });
  });

  it('takes the later of the reports', () => {
    const report = (attempt: number, sequence: number) => ({ attempt, sequence, data: null, timestamp: 1 });
    const latest = (heard: object, stored: ReturnType<typeof report>) =>
      celeryRecord('one', { meta: meta('PROGRESS', heard), progress: stored }, undefined, DAY).progress;
    expect(latest(report(1, 5), report(2, 1))).toEqual(report(2, 1));
    expect(latest(report(2, 1), report(1, 5))).toEqual(report(2, 1));
    expect(latest(report(1, 2), report(1, 3))).toEqual(report(1, 3));
  });
});
