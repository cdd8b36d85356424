import { describe, expect, it } from 'vitest';
import type { TaskSubmission } from '../../taskqueue.types.js';
import { normalizeSubmission } from '../../taskqueue.validation.js';
import { decodeTask, encodeTask, envelopeText } from './task-envelope.js';

const supports = {
  inProcess: true,
  dedup: true,
  priority: true,
  submitRetry: true,
  durableResults: true,
  hardTimeLimit: true,
};
const rules = { supports, maxPayloadBytes: 10_000, source: {} };

describe('the text of an envelope', () => {
  it.each<TaskSubmission>([
    { name: 'bare' },
    { name: 'args', args: [1, 'ü"\n\u2028', null, { deep: [true] }] },
    { name: 'kwargs', kwargs: { a: 1, __proto__: null, 'b"': {} } },
    { name: 'headers', headers: { trace: 'x' } },
    { name: 'limits', expires: 1_500.5, timeLimit: 0.5, retry: { attempts: 3, delay: 10 } },
  ])('is that of its object: $name', (submission) => {
    const task = normalizeSubmission(submission, rules, 1_700_000_000_000);
    const text = envelopeText(task);
    expect(text).toBe(JSON.stringify(encodeTask(task)));
    expect(decodeTask(JSON.parse(text))).toEqual(encodeTask(task));
  });
});
