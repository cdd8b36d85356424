import fc from 'fast-check';
import type { FuzzedDocument } from './fuzzed-document.js';

/** Documents that are small and would become large, never end, or are deep or large as they are. */
export const bombs: fc.Arbitrary<FuzzedDocument> = fc.oneof(
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
