import { expect } from 'vitest';

/** A text that somebody has stored as a task's result, and what `getResult` makes of it: the value, or code and message. */
export interface HostileMeta {
  /** `TASK_ID` in it stands for the id of the task. */
  readonly text: string;
  readonly expected: readonly unknown[];
}

/** Ends of a task that has none. */
const NOTHING = ['TIMEOUT', expect.stringContaining('did not end within') as unknown] as const;

function failed(message: string): readonly unknown[] {
  return ['TASK_FAILED', expect.stringContaining(message)];
}

/** JSON of a meta; `fields` is JSON without its braces. */
function meta(fields: string, taskId = 'TASK_ID'): string {
  return `{"task_id":"${taskId}","traceback":null,"children":[],${fields}}`;
}

/** Texts that are no result of the task, and ones that are odd. */
export function hostileMetas(otherId: string): HostileMeta[] {
  const success = (result: string, ...expected: unknown[]): HostileMeta => {
    return { text: meta(`"status":"SUCCESS","result":${result}`), expected };
  };
  const failure = (result: string, message: string): HostileMeta => {
    return { text: meta(`"status":"FAILURE","result":${result}`), expected: failed(message) };
  };
  const polluted = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{}}}') as unknown;
  return [
    ...hostileBodies().map((text) => ({ text, expected: NOTHING })),
    { text: meta('"status":"SUCCESS","result":1').slice(0, -5), expected: NOTHING },
    { text: meta('"status":"SUCCESS","result":1', otherId), expected: NOTHING },
    { text: meta('"status":7,"result":1'), expected: NOTHING },
    { text: meta('"status":"PENDING","result":1'), expected: NOTHING },
    { text: meta('"status":"FROM_MARS","result":{"a":1}'), expected: NOTHING },
    { text: meta('"status":"toString","result":null'), expected: NOTHING },
    { text: meta('"status":"__proto__","result":null'), expected: NOTHING },
    {
      text: meta('"status":"PROGRESS","result":{"sequence":"x","attempt":null,"data":1,"timestamp":{}}'),
      expected: NOTHING,
    },
    { text: meta('"status":"PROGRESS","result":NaN'), expected: NOTHING },
    { text: meta('"status":"RETRY","result":[1,{"exc_type":5}]'), expected: NOTHING },
    success('[NaN,Infinity,-Infinity,"NaN"]', [Number.NaN, Infinity, -Infinity, 'NaN']),
    success('{"__type__":"datetime","__value__":"2026-11-28T09:00:00+00:00"}', '2026-11-28T09:00:00+00:00'),
    success('{"__type__":"decimal","__value__":"1.10"}', '1.10'),
    success(
      '{"__type__":"uuid","__value__":{"hex":"0123456789abcdef0123456789abcdef","version":4}}',
      '01234567-89ab-cdef-0123-456789abcdef',
    ),
    success('{"__type__":"uuid","__value__":{"hex":"zz"}}', { hex: 'zz' }),
    success('{"__type__":"base64","__value__":"AAEC"}', 'AAEC'),
    success('{"__type__":"what","__value__":1}', { __type__: 'what', __value__: 1 }),
    success('{"__type__":{"__type__":"uuid","__value__":null},"__value__":1}', { __type__: null, __value__: 1 }),
    success('{"__proto__":{"polluted":1},"constructor":{"prototype":{}}}', polluted),
    success(`"${'m'.repeat(1_048_576)}"`, 'm'.repeat(1_048_576)),
    success('1e999', Infinity),
    success('"\\ud800"', '\uD800'),
    { text: '{"status":"SUCCESS","result":5}', expected: [5] },
    { text: meta('"status":"SUCCESS"'), expected: [null] },
    {
      text: meta('"status":"SUCCESS","result":1,"date_done":"once upon","retries":"x","name":[],"children":"no"'),
      expected: [1],
    },
    failure('null', 'no reason is stored'),
    failure('"plain text"', 'plain text'),
    failure('["a",{"b":1}]', '["a",{"b":1}]'),
    failure('5', '5'),
    failure('{"exc_type":null,"exc_message":null,"exc_module":5}', 'Error'),
    failure('{"exc_type":{"a":1},"exc_message":{"deep":[1]}}', '{"deep":[1]}'),
    failure('{"exc_type":"Own","exc_message":[1,null,"x",["y"]]}', 'Own: 1, null, x, ["y"]'),
    failure('{"exc_type":"__proto__","exc_message":["constructor"]}', '__proto__: constructor'),
    {
      text: meta('"status":"REVOKED","result":"because"'),
      expected: ['TASK_REVOKED', expect.stringContaining('because') as unknown],
    },
    { text: meta('"status":"REVOKED","result":null'), expected: ['TASK_REVOKED', expect.any(String) as unknown] },
  ];
}

/** Texts that are no message of Celery's at all. */
export function hostileBodies(): string[] {
  return [
    ...[
      '',
      ' ',
      'null',
      'true',
      '5',
      'NaN',
      '"text"',
      '[]',
      '[null]',
      '{}',
      '[[[[]]]]',
      '{"a":',
      '{"status":',
      '\0',
      '\uFEFF{}',
    ],
    ...[
      '{"__proto__":{"status":"SUCCESS"}}',
      '{"status":null}',
      '{"type":null}',
      '{"type":{}}',
      '[{"type":1},5,"x",null,[]]',
    ],
    ...['{"type":"task-sent","timestamp":"x","hostname":5,"uuid":[]}', '{"__type__":"uuid","__value__":null}'],
    ...[
      '{"body":5}',
      '{"body":null,"headers":null,"properties":null}',
      '{"body":"e30=","properties":{"body_encoding":"base64"}}',
    ],
    ...['{"body":"\\ud800","headers":[]}', '<html>', 'gAR9lC4=', '['.repeat(50_000), `{"a":${'[1,'.repeat(3_000)}`],
    `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
    `"${'x'.repeat(1_048_576)}"`,
  ];
}
