import fc from 'fast-check';

/** Keys that mean something to JavaScript or YAML. */
export const EVIL_KEYS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '<<',
  '',
  '0',
  'then',
  'toJSON',
];
/** Expansions of variables and files, most of them bad. */
const EXPRESSIONS = [
  '${HUB_FUZZ}',
  '${HUB_FUZZ_UNSET}',
  '${HUB_FUZZ_UNSET:-7}',
  '${HUB_FUZZ_NUMBER}',
  '${}',
  '${file:/nonexistent}',
  '${file:relative}',
  '${file:/dev/zero}',
  '${file:/}',
  '$${HUB_FUZZ}',
  '${HUB_FUZZ',
  '${constructor}',
  '${__proto__}',
  '${HUB_FUZZ:-${HUB_FUZZ}}',
  '${HUB_FUZZ_YAML}',
];

/** One of {@link EVIL_KEYS}. */
export const evilKey = fc.constantFrom(...EVIL_KEYS);
/** A text with an expansion in it. */
export const expression = fc.oneof(
  fc.constantFrom(...EXPRESSIONS),
  fc.string({ maxLength: 20 }).map((body) => `\${${body}}`),
  fc.tuple(fc.constantFrom(...EXPRESSIONS), fc.string({ maxLength: 5 })).map(([a, b]) => `${b}${a}${b}${a}`),
);
const hugeScalar = fc.oneof(
  fc.integer({ min: 1_000, max: 300_000 }).map((length) => 'x'.repeat(length)),
  fc.integer({ min: 10, max: 9_000 }).map((length) => '9'.repeat(length)),
  fc.constantFrom(1e308, -1e308, Number.MAX_SAFE_INTEGER + 1, Infinity, NaN, -0, 2 ** 31),
);
const wrongType = fc.oneof(
  fc.constantFrom(null, true, -1, 1.5, [], {}, [[]], '', 'local'),
  fc.jsonValue({ maxDepth: 3 }),
);

/** A value that fits hardly anywhere. */
export const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  wrongType,
  hugeScalar,
  expression,
  fc.string({ unit: 'binary' }),
);
