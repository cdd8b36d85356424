import fc from 'fast-check';
import { isCollection, isMap, isScalar, isSeq, parseDocument, visit, type Document } from 'yaml';
import { anyValue, evilKey } from './config-values.js';
import type { FuzzedDocument } from './fuzzed-document.js';

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
export function mutated(valid: readonly string[]): fc.Arbitrary<FuzzedDocument> {
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
