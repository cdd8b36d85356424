import fc from 'fast-check';
import { parseDocument } from 'yaml';
import { bombs } from './config-bombs.js';
import { mutated } from './config-mutations.js';
import { anyValue, EVIL_KEYS, evilKey, expression } from './config-values.js';
import type { FuzzedDocument } from './fuzzed-document.js';

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
