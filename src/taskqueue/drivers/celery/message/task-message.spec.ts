import { describe, expect, it } from 'vitest';
import { HubError } from '../../../../core/errors.js';
import type { JsonObject } from '../../../../core/json.js';
import { normalizeSubmission } from '../../../taskqueue.validation.js';
import type { TaskSubmission } from '../../../taskqueue.types.js';
import { taskMessage, type TaskMessage, type TaskMessageExtras, type TaskMessageStyle } from './task-message.js';

const NOW = Date.UTC(2026, 10, 28, 9);
const STYLE: TaskMessageStyle = { origin: 'hub:1@host', replyTo: 'replies', timezone: 'UTC', showArguments: false };
const SOURCE = { plugin: 'taskqueue', driver: 'celery' };
const supports = {
  ...{ inProcess: false, dedup: false, priority: true, submitRetry: false, durableResults: true, hardTimeLimit: true },
};

function made(task: Partial<TaskSubmission>, extras: TaskMessageExtras = {}, style = STYLE): TaskMessage {
  const rules = { supports, maxPayloadBytes: 1_000_000, source: SOURCE };
  const checked = normalizeSubmission({ name: 'tasks.add', taskId: 'one', ...task }, rules, NOW);
  return taskMessage(checked, extras, style, NOW, SOURCE);
}

function refusal(task: Partial<TaskSubmission>): HubError {
  try {
    made(task);
  } catch (error) {
    if (HubError.is(error)) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('taskMessage', () => {
  it("has all of protocol 2's headers, and hides the arguments", () => {
    const { headers, body, taskId, priority, replyTo } = made({ args: [1, 'secret'], kwargs: { a: 2 }, priority: 7 });
    expect(headers).toEqual({
      ...{ lang: 'js', task: 'tasks.add', id: 'one', shadow: null, eta: null, expires: null, group: null },
      ...{ group_index: null, retries: 0, timelimit: [null, null], root_id: 'one', parent_id: null },
      ...{ argsrepr: '(hidden)', kwargsrepr: '{hidden}', origin: 'hub:1@host', ignore_result: false },
      ...{ replaced_task_nesting: 0, stamped_headers: null, stamps: {} },
    });
    expect(JSON.parse(body)).toEqual([
      [1, 'secret'],
      { a: 2 },
      { callbacks: null, errbacks: null, chain: null, chord: null },
    ]);
    expect({ taskId, priority, replyTo }).toEqual({ taskId: 'one', priority: 7, replyTo: 'replies' });
  });

  it('shows arguments where the options say so, but not all of a long one', () => {
    const style = { ...STYLE, showArguments: true };
    expect(made({ args: [1, 'a'], kwargs: { b: 2 } }, {}, style).headers).toMatchObject({
      argsrepr: '[1,"a"]',
      kwargsrepr: '{"b":2}',
    });
    // Of pairs, so that each cut at an odd place would halve one.
    for (const start of ['', 'x']) {
      const shown = String(made({ args: [start + '\u{1F600}'.repeat(2_000)] }, {}, style).headers['argsrepr']);
      expect(shown.length).toBeLessThanOrEqual(1_024);
      expect(shown.length).toBeGreaterThan(1_000);
      expect(/[\uD800-\uDBFF]$/.test(shown)).toBe(false);
    }
  });

  it('has limits in seconds, the hard one first; never 0, which would be none', () => {
    expect(made({ timeLimit: 2_500 }, { softTimeLimit: 1_000 }).headers['timelimit']).toEqual([2.5, 1]);
    expect(made({ timeLimit: 5e-324 }).headers['timelimit']).toEqual([0.001, null]);
    expect(made({}, { softTimeLimit: 0.5 }).headers['timelimit']).toEqual([null, 0.001]);
  });

  it('has an eta only when it is to come', () => {
    expect(made({ countdown: 1_500 }).headers['eta']).toBe('2026-11-28T09:00:01.500Z');
    expect(made({ countdown: 0 }).headers['eta']).toBeNull();
    expect(made({ eta: new Date(0) }).headers['eta']).toBeNull();
    expect(made({ eta: new Date(-1e15) }).headers['eta']).toBeNull();
  });

  it('an expiry in the past is one that Python can read', () => {
    expect(made({ expires: 1_000 }).headers['expires']).toBe('2026-11-28T09:00:01.000Z');
    expect(made({ expires: new Date('-000001-01-01T00:00:00Z') }).headers['expires']).toBe('1970-01-01T00:00:00.000Z');
  });

  it.each<[string, Partial<TaskSubmission>]>([
    ['eta', { eta: new Date('+010000-01-01T00:00:00Z') }],
    ['eta', { countdown: 1e300 }],
    ['eta', { countdown: 8.64e15 }],
    ['expires', { expires: new Date('+275760-09-13T00:00:00Z') }],
    ['expires', { expires: Number.MAX_VALUE }],
  ])('%s after the year 9999 is refused', (_name, task) => {
    const error = refusal(task);
    expect(error.code).toBe('INVALID_ARGUMENT');
    // Beyond what a date holds it is refused for every driver.
    expect(error.message).toMatch(/(eta|countdown|expires) is later than (Python's last year|any date)/);
  });

  it('takes headers of the caller, in front of nothing', () => {
    const { headers } = made({ headers: { trace: { id: 5 }, 'x y': null } });
    expect(headers).toMatchObject({ trace: { id: 5 }, 'x y': null, id: 'one' });
    expect(refusal({ headers: { id: 'two' } }).code).toBe('INVALID_ARGUMENT');
    const broken: JsonObject = { trace: ['\uD800'] };
    expect(refusal({ headers: broken }).code).toBe('PAYLOAD_INVALID');
  });

  it.each<[string, Partial<TaskSubmission>]>([
    ['typed', { args: [{ __type__: 'datetime', __value__: 'x' }] }],
    ['half a pair', { kwargs: { a: 'x\uDC00' } }],
  ])('refuses what kombu could not take: %s', (_what, task) => {
    expect(refusal(task).code).toBe('PAYLOAD_INVALID');
  });

  it('carries what comes after, and what belongs together', () => {
    const next = { task: 'b', args: [], kwargs: {}, options: { task_id: 'two' }, subtask_type: null, immutable: false };
    const { headers, body } = made({}, { embed: { chain: [next] }, group: { id: 'g', index: 3 } });
    expect(headers).toMatchObject({ group: 'g', group_index: 3, root_id: 'one', parent_id: null });
    expect(JSON.parse(body)).toEqual([[], {}, { callbacks: null, errbacks: null, chain: [next], chord: null }]);
  });
});
