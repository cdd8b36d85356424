import fc from 'fast-check';
import type { CelerySubmitOptions } from '../../src/taskqueue/drivers/celery/celery.extras.js';

/** A submit as a caller without types might make it. */
export type HostileSubmit = Record<keyof CelerySubmitOptions, unknown>;

/** Names that mean something to Python, Celery, kombu, AMQP or JavaScript. */
const ODD_KEYS = [
  ...['__type__', '__value__', '__proto__', 'constructor', 'toString', '__class__', '__dict__', '!', '', ' ', '\0'],
  ...['self', 'task_id', 'args', 'kwargs', 'id', 'task', 'eta', 'expires', 'headers', 'retries', 'timelimit', 'shadow'],
  ...['time_limit', 'soft_time_limit', 'type', 'hub-attempts', 'hub_run', 'hub_run_id', 'x-death', 'x-match'],
  ...[
    'CC',
    'BCC',
    'signature',
    'stamps',
    'chain',
    'chord',
    'group',
    'compression',
    'content_type',
    'application_headers',
  ],
  ...['ä'.repeat(127), 'ä'.repeat(128), 'k'.repeat(255), 'k'.repeat(300), '😀', '\u2028', 'Ǆ', '1', '-1', 'NaN'],
];

const EDGE_NUMBERS = [
  ...[
    0,
    -0,
    1,
    -1,
    127,
    128,
    -128,
    -129,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    2 ** 50 + 0.5,
    2 ** 51 + 0.5,
    2 ** 53,
    2 ** 53 + 2,
  ],
  ...[
    2 ** 63,
    -(2 ** 63),
    2 ** 64,
    1e21,
    1e22,
    -1e21,
    123_456_789_012_345_680_000,
    1e308,
    -1e308,
    5e-324,
    1e-7,
    0.1 + 0.2,
  ],
];

const text = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 3, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }) },
  { weight: 3, arbitrary: fc.constantFrom(...ODD_KEYS) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('\0', '\u0001\u001f\u007f', '\u2028\u2029', '%s %(x)s {0} %', '"\\/\b', '\uFEFFx'),
  },
);
const brokenText = fc
  .tuple(text, fc.constantFrom('\uD800', '\uDFFF', '\uDC00\uD800', '\uD83D'))
  .map(([start, half]) => `${start}${half}x`);
const number = fc.oneof(
  fc.constantFrom(...EDGE_NUMBERS),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
);

/** An object with keys of its own, `__proto__` among them. */
function record(entries: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(entries);
}

/** Nested `depth` deep, in arrays and objects by turns. */
function nested(depth: number): unknown {
  let value: unknown = 'core';
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
    text,
    number,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.array(fc.tuple(text, tie('json')), { maxLength: 4 }).map(record),
  ),
}));

/** What JSON carries and kombu takes for something else. */
const typed = fc
  .tuple(
    fc.constantFrom('datetime', 'date', 'time', 'decimal', 'uuid', 'bytes', 'base64', 'other', 'toString', '', 1, null),
    json,
    fc.boolean(),
  )
  .map(([type, value, more]) => ({ __type__: type, __value__: value, ...(more ? { more: 1 } : {}) }));

const cycle: Record<string, unknown> = {};
cycle['self'] = cycle;

/** What JSON does not carry. */
const noJson = fc.constantFrom<unknown>(
  ...[
    Number.NaN,
    Infinity,
    -Infinity,
    10n,
    Symbol('s'),
    new Map([[1, 2]]),
    new Set([1]),
    Buffer.from('x'),
    cycle,
    [undefined],
  ],
  () => 1,
  { toJSON: () => Number.NaN },
  {
    get trap(): never {
      throw new Error('read');
    },
  },
);

const value = fc.oneof(
  { weight: 60, arbitrary: json },
  { weight: 6, arbitrary: typed },
  { weight: 3, arbitrary: brokenText },
  { weight: 3, arbitrary: noJson },
  { weight: 5, arbitrary: fc.oneof(fc.integer({ min: 1, max: 210 }), fc.constantFrom(1_000, 5_000)).map(nested) },
  { weight: 1, arbitrary: fc.constantFrom(400_000, 1_047_000, 1_048_576).map((length) => 'm'.repeat(length)) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 20_000 }).map((count) => '\u{1F600}ä\n'.repeat(count)) },
);

const header = fc.oneof(
  { weight: 20, arbitrary: json },
  { weight: 1, arbitrary: typed },
  { weight: 1, arbitrary: brokenText },
  { weight: 1, arbitrary: noJson },
  { weight: 1, arbitrary: fc.constantFrom(100, 300).map(nested) },
  { weight: 1, arbitrary: fc.constantFrom(65_536, 140_000, 500_000).map((length) => 'h'.repeat(length)) },
);

/** Names that headers are likely to have; odd ones are mostly refused. */
const headerName = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('trace', 'hub_run_id', 'Ünï-cödé', 'a.b', 'with space', '1') },
  { weight: 1, arbitrary: text },
);

const instant = fc.oneof(
  fc
    .constantFrom(
      ...[
        '1970-01-01T00:00:00Z',
        '0001-01-01T00:00:00Z',
        '9999-12-31T23:59:59.999Z',
        '9998-06-01T12:00:00Z',
        '+010000-01-01T00:00:00Z',
      ],
      ...['-000001-01-01T00:00:00Z', '+275760-09-13T00:00:00Z', '2038-01-19T03:14:08Z', '2106-02-07T06:28:16Z'],
    )
    .map((iso) => new Date(iso)),
  fc.constant(new Date(Number.NaN)),
  fc.integer({ min: -2_000, max: 2_000 }).map((ms) => new Date(Date.now() + ms)),
);
const delay = fc.oneof(
  fc.constantFrom<unknown>(
    0,
    -0,
    0.001,
    1e9,
    1e12,
    1e15,
    8.64e15,
    1e300,
    Number.MAX_VALUE,
    -1,
    Number.NaN,
    Infinity,
    '5',
    null,
  ),
  fc.integer({ min: 0, max: 500 }),
);
/** The last ones, in ms, end a process now and then; few of them, since a new one takes its time. */
const limit = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom<unknown>(1e308, 1e15, 60_000, 2 ** 31 * 1_000, 0, -1, Number.NaN, Infinity, '1'),
  },
  { weight: 1, arbitrary: fc.constantFrom(1, 0.001, 5e-324) },
);
const name = fc.oneof(
  { weight: 40, arbitrary: fc.constant<unknown>('contract.echo') },
  { weight: 2, arbitrary: fc.oneof(text, brokenText, number, fc.constant(null)) },
);
/** The number in front keeps ids that are taken apart. */
const taskId = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.oneof(brokenText, fc.constantFrom<unknown>('', '12', 'a b', 'a:b', 1, null, 'i'.repeat(129))),
  },
  {
    weight: 12,
    arbitrary: fc
      .tuple(fc.uuid(), fc.constantFrom('', '.', '..', '-', '_x', '.hub', '.submit'))
      .map(([id, end]) => `${id}${end}`),
  },
);
const priority = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom<unknown>(0, 1, 5, 9, -0) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(10, -1, 0.5, Number.NaN, '1', null) },
);

/** A key of the options that is there in some of a hundred submits. */
const sometimes = <T>(percent: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 100 - percent, arbitrary: fc.constant(undefined) }, { weight: percent, arbitrary });

/** Submits from harmless to hostile, to a task that returns what it got. */
export const hostileSubmit: fc.Arbitrary<{ name: unknown; options: Partial<HostileSubmit> }> = fc.record({
  name,
  options: fc
    .record({
      args: sometimes(70, fc.array(value, { maxLength: 3 })),
      kwargs: sometimes(50, fc.array(fc.tuple(text, value), { maxLength: 3 }).map(record)),
      headers: sometimes(40, fc.array(fc.tuple(headerName, header), { maxLength: 2 }).map(record)),
      taskId: sometimes(40, taskId),
      eta: sometimes(8, instant),
      countdown: sometimes(8, delay),
      expires: sometimes(10, fc.oneof(instant, delay)),
      timeLimit: sometimes(10, limit),
      softTimeLimit: sometimes(8, limit),
      priority: sometimes(10, priority),
    })
    .map((options) => Object.fromEntries(Object.entries(options).filter(([, one]) => one !== undefined))),
});
