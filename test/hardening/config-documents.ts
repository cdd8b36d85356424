import fc from 'fast-check';
import { isCollection, isMap, isScalar, isSeq, parseDocument, visit, type Document } from 'yaml';

/** A document to feed to the configuration, and how it came about. */
export interface FuzzedDocument {
  kind: string;
  text: string;
}

/** A file with experiments in it, valid beside `config/hub_config.yaml`. */
export const WITH_EXPERIMENTS = `
version: 1
global: { log_level: INFO, shutdown_timeout: 3000, workDir: '\${HUB_DATA_DIR:-data}/work' }
plugins:
  mlops: &local
    type: local
    required: true
    config: &memory { data_dir: ":memory:", durability: process }
  datastream:
    <<: *local
    init_timeout: 9000
    config:
      <<: *memory
      max_payload_bytes: 65536
      queues: [{ name: in, max_length: 10 }, { name: out }]
  taskqueue: { config: { data_dir: ":memory:", concurrency: 2, worker_threads: 1, queues: { slow: 1 } } }
experiments:
  - name: churn
    tasks: { train: churn.train, predict: churn.predict, evaluate: churn.evaluate }
    params: { depth: 4, rate: 0.1, note: "", fast: true }
    metric: f1
    direction: max
    policy: { threshold: 0.8, window: 100, min_samples: 10, cooldown: 1, max_retrains: { count: 2, per: 1000 } }
    schedule: { every: 86400000 }
    promotion: { mode: gate, minImprovement: 0.01 }
    timeouts: { train: 60000 }
  - { name: fraud, enabled: false, tasks: { train: t, predict: p }, data: [1, { a: null }] }
`;

const EVIL_KEYS = [
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
const TAGS = [
  '!!js/function',
  '!!binary',
  '!!set',
  '!!omap',
  '!!timestamp',
  '!x',
  '!!float',
  '!!null',
  '!!merge',
  '!<!>',
];

const evilKey = fc.constantFrom(...EVIL_KEYS);
const expression = fc.oneof(
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
const anyValue: fc.Arbitrary<unknown> = fc.oneof(wrongType, hugeScalar, expression, fc.string({ unit: 'binary' }));

/** One change of a document, in the YAML tree, so that what comes out is still YAML. */
type Mutation = (document: Document, at: number) => void;

/** The n-th node for which `wanted` holds, with its parent collection and key. */
function pick(document: Document, at: number): { path: unknown[]; value: unknown } {
  const paths: { path: unknown[]; value: unknown }[] = [];
  const walk = (node: unknown, path: unknown[]): void => {
    paths.push({ path, value: node });
    if (isMap(node)) for (const { key, value } of node.items) walk(value, [...path, isScalar(key) ? key.value : key]);
    if (isSeq(node)) node.items.forEach((item, index) => walk(item, [...path, index]));
  };
  walk(document.contents, []);
  return paths[at % paths.length] ?? { path: [], value: undefined };
}

const mutations: fc.Arbitrary<{ kind: string; apply: Mutation }> = fc.oneof(
  anyValue.map((value) => ({
    kind: 'value',
    apply: (document: Document, at: number) => document.setIn(pick(document, at).path, value),
  })),
  fc.tuple(fc.oneof(evilKey, fc.string({ maxLength: 30 })), anyValue).map(([key, value]) => ({
    kind: 'key',
    apply: (document: Document, at: number) => {
      const { path, value: node } = pick(document, at);
      if (isMap(node)) node.add(document.createPair(key, value), true);
      else document.setIn([...path.slice(0, -1), key], value);
    },
  })),
  fc.constant({
    kind: 'delete',
    apply: (document: Document, at: number) => void document.deleteIn(pick(document, at).path),
  }),
  fc.constantFrom(...TAGS).map((tag) => ({
    kind: 'tag',
    apply: (document: Document, at: number) => {
      const { value } = pick(document, at);
      if (isScalar(value) || isCollection(value)) value.tag = tag;
    },
  })),
  fc.nat().map((other) => ({
    kind: 'alias',
    apply: (document: Document, at: number) => {
      const [from, to] = [pick(document, at), pick(document, other)];
      if (!isScalar(from.value) && !isCollection(from.value)) return;
      from.value.anchor ??= 'again';
      document.setIn(to.path, document.createAlias(from.value, from.value.anchor));
    },
  })),
  fc.integer({ min: 2, max: 3_000 }).map((depth) => ({
    kind: 'deep',
    apply: (document: Document, at: number) => {
      let value: unknown = 1;
      for (let level = 0; level < Math.min(depth, 400); level += 1) value = level % 2 === 0 ? [value] : { a: value };
      document.setIn(pick(document, at).path, value);
    },
  })),
);

/** A valid file with one to four changes in its tree. */
function mutated(valid: readonly string[]): fc.Arbitrary<FuzzedDocument> {
  return fc
    .record({
      text: fc.constantFrom(...valid),
      changes: fc.array(fc.tuple(mutations, fc.nat()), { minLength: 1, maxLength: 4 }),
    })
    .map(({ text, changes }) => {
      const document = parseDocument(text);
      const kinds: string[] = [];
      for (const [{ kind, apply }, at] of changes) {
        try {
          apply(document, at);
          kinds.push(kind);
        } catch {
          // Some changes fit no document that an earlier one has changed, e.g. a key in what is now a text.
        }
      }
      return { kind: `mutated: ${[...new Set(kinds)].sort().join('+') || 'none'}`, text: written(document, text) };
    });
}

/** The document as YAML; the mutated tree may be none that can be written. */
function written(document: Document, otherwise: string): string {
  try {
    return document.toString({ lineWidth: 0 });
  } catch {
    visit(document, { Alias: () => visit.REMOVE });
    try {
      return document.toString({ lineWidth: 0 });
    } catch {
      return otherwise;
    }
  }
}

/** A valid file with changes in its text: characters put in, cut out or doubled, lines exchanged, bytes made noise. */
function garbled(valid: readonly string[]): fc.Arbitrary<FuzzedDocument> {
  const edit = fc.record({
    at: fc.nat(),
    length: fc.integer({ min: 0, max: 40 }),
    put: fc.oneof(
      expression,
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom(
        '\t',
        '\0',
        '\u0007',
        '\uFEFF',
        '\uD800',
        '\n---\n',
        '*memory',
        '&a ',
        '<<: ',
        '{',
        '[',
        '- ',
        ': ',
        '#',
        '%',
        '|',
        '>',
      ),
      fc.nat({ max: 50 }).map((count) => '- '.repeat(count)),
    ),
  });
  return fc
    .record({ text: fc.constantFrom(...valid), edits: fc.array(edit, { minLength: 1, maxLength: 4 }) })
    .map(({ text, edits }) => {
      const result = edits.reduce((whole, { at, length, put }) => {
        const from = at % (whole.length + 1);
        return whole.slice(0, from) + put + whole.slice(from + length);
      }, text);
      return { kind: 'garbled', text: result };
    });
}

/** A valid file in other words: what changes is allowed, so it has to stay valid. */
function reworded(valid: readonly string[]): fc.Arbitrary<FuzzedDocument> {
  const change = fc.record({
    text: fc.constantFrom(...valid),
    level: fc.constantFrom('log', 'WARN', 'Error', 'info', '${HUB_FUZZ_UNSET:-debug}'),
    timeout: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    environment: fc.oneof(
      fc.string({ minLength: 1, maxLength: 40 }).filter((text) => !text.includes('${')),
      expressionThatIsSet,
    ),
    enabled: fc.constantFrom(true, false, '${HUB_FUZZ_UNSET:-true}', '${HUB_FUZZ_UNSET:-false}'),
    spelling: fc.constantFrom('init_timeout', 'initTimeout'),
  });
  return change.map(({ text, level, timeout, environment, enabled, spelling }) => {
    const document = parseDocument(text);
    document.setIn(['global', 'log_level'], level);
    document.setIn(['global', 'shutdown_timeout'], timeout);
    document.setIn(['global', 'environment'], environment);
    document.setIn(['plugins', 'taskqueue', 'enabled'], enabled);
    document.setIn(['plugins', 'taskqueue', spelling], timeout);
    return { kind: 'reworded', text: document.toString({ lineWidth: 0 }) };
  });
}
const expressionThatIsSet = fc.constantFrom('${HUB_FUZZ}', 'a-${HUB_FUZZ}', '${HUB_FUZZ_YAML}');

const bombs: fc.Arbitrary<FuzzedDocument> = fc.oneof(
  fc
    .record({ levels: fc.integer({ min: 1, max: 12 }), width: fc.integer({ min: 1, max: 12 }) })
    .map(({ levels, width }) => {
      const lines = ['a0: &a0 [x, x]'];
      for (let level = 1; level <= levels; level += 1) {
        lines.push(`a${level}: &a${level} [${Array.from({ length: width }, () => `*a${level - 1}`).join(', ')}]`);
      }
      return { kind: 'alias bomb', text: `${lines.join('\n')}\nexperiments: *a${levels}\n` };
    }),
  fc.integer({ min: 1, max: 12 }).map((levels) => {
    const lines = ['a0: &a0 { k: 1 }'];
    for (let level = 1; level <= levels; level += 1)
      lines.push(`a${level}: &a${level} { <<: [*a${level - 1}, *a${level - 1}] }`);
    return { kind: 'merge bomb', text: lines.join('\n') };
  }),
  fc
    .constantFrom(
      'plugins: &p { mlops: *p }',
      'experiments: &e [*e, [*e]]',
      '&top global: *top',
      'global: &g { <<: *g }',
      'experiments:\n  - &x { name: a, tasks: { train: t, predict: p }, data: *x }',
      'plugins: { datastream: { config: &c { queues: [*c] } } }',
    )
    .map((text) => ({ kind: 'cycle', text })),
  fc
    .record({
      depth: fc.integer({ min: 10, max: 6_000 }),
      open: fc.constantFrom('[', '{a: ', '- ', '? ', '!x ', '&a ', '> '),
    })
    .map(({ depth, open }) => ({
      kind: 'nesting',
      text: `experiments: ${open === '- ' ? '\n' : ''}${open.repeat(depth)}`,
    })),
  fc.integer({ min: 10, max: 1_000 }).map((depth) => ({
    kind: 'nesting',
    text: Array.from({ length: depth }, (_item, level) => `${' '.repeat(level)}a:`).join('\n'),
  })),
  fc.integer({ min: 100, max: 20_000 }).map((count) => ({
    kind: 'many keys',
    text: `global:\n${Array.from({ length: count }, (_item, index) => `  k${index}: \${HUB_FUZZ}`).join('\n')}`,
  })),
  fc.integer({ min: 100, max: 50_000 }).map((count) => ({
    kind: 'long list',
    text: `experiments:\n${'  - ${HUB_FUZZ_UNSET}\n'.repeat(count)}`,
  })),
  fc.integer({ min: 100, max: 2_000_000 }).map((length) => ({
    kind: 'huge scalar',
    text: `global:\n  environment: |\n${`    ${'y'.repeat(999)}\n`.repeat(Math.ceil(length / 1_000))}`,
  })),
);

const noise: fc.Arbitrary<FuzzedDocument> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }).map((text) => ({ kind: 'noise', text })),
  fc.uint8Array({ maxLength: 600 }).map((bytes) => ({ kind: 'noise', text: Buffer.from(bytes).toString('latin1') })),
  fc.uint8Array({ maxLength: 600 }).map((bytes) => ({ kind: 'noise', text: Buffer.from(bytes).toString('utf8') })),
);

/** Any object at all under the keys of a configuration. */
const objects: fc.Arbitrary<FuzzedDocument> = fc
  .dictionary(
    fc.oneof(fc.constantFrom('version', 'global', 'plugins', 'experiments'), evilKey, fc.string({ maxLength: 10 })),
    fc.oneof(
      anyValue,
      fc.jsonValue({ maxDepth: 5 }),
      fc.dictionary(fc.constantFrom('mlops', 'datastream', 'taskqueue', ...EVIL_KEYS), anyValue),
    ),
    { maxKeys: 8 },
  )
  .map((value) => ({ kind: 'object', text: JSON.stringify(value) }));

/** Documents of all kinds; well over a third are made from one of the `valid` texts. */
export function documents(valid: readonly string[]): fc.Arbitrary<FuzzedDocument> {
  return fc.oneof(
    { weight: 5, arbitrary: mutated(valid) },
    { weight: 2, arbitrary: garbled(valid) },
    { weight: 2, arbitrary: reworded(valid) },
    { weight: 2, arbitrary: objects },
    { weight: 1, arbitrary: bombs },
    { weight: 1, arbitrary: noise },
  );
}
