import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../../core/json.js';
import { checkTaskHeaders } from './task-headers.js';

/** Attributes of `celery.app.task.Context` (Celery 5.7): what a header of that name would replace. */
const CONTEXT =
  'args as_execution_options callbacks called_directly chain children chord clear correlation_id delivery_info errbacks ' +
  'eta expires get group group_index headers hostname id ignore_result is_eager kwargs logfile loglevel origin parent_id ' +
  'properties replaced_task_nesting reply_to retries root_id shadow soft_time_limit stamped_headers stamps taskset ' +
  'time_limit timelimit update utc _children _protected';

const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error;

describe('checkTaskHeaders', () => {
  it.each([
    ...CONTEXT.split(' '),
    'lang',
    'task',
    'argsrepr',
    'compression',
    'x-death',
    'hub-attempts',
    'CC',
    '__proto__',
  ])('refuses %s', (name) => {
    const headers = Object.fromEntries([[name, 1]]);
    expect(() => checkTaskHeaders(headers, {})).toThrow(refused);
  });

  it.each(['', '!', 'k'.repeat(256), 'ä'.repeat(128)])(
    'refuses a name that AMQP cannot carry, at any depth: %#',
    (name) => {
      for (const headers of [{ [name]: 1 }, { a: { [name]: 1 } }, { a: [[{ [name]: 1 }]] }] satisfies JsonObject[]) {
        expect(() => checkTaskHeaders(headers, {})).toThrow(refused);
      }
    },
  );

  it.each(['trace', 'hub_run_id', 'Id', 'k'.repeat(255), ' ', '\u{1F600}'])('takes %#', (name) => {
    expect(() => checkTaskHeaders({ [name]: { id: 1, '!!': [null] } }, {})).not.toThrow();
  });
});
