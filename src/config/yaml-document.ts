import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
} from 'yaml';
import { configError, type ConfigIssue, type ConfigPath } from '../core/validate.js';

/** Largest configuration text, in bytes. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
/** Longest line, in characters. One line of "- - - …" can otherwise exhaust the memory of the parser. */
const MAX_LINE = 10_000;
/** Most `[` and `{` in a text: nesting them costs the parser quadratic time. */
const MAX_BRACKETS = 5_000;

/** Most faults of syntax that are reported. */
const MAX_FAULTS = 20;

// The parser's own texts quote the source, which may be a secret: an unquoted password may begin with any of ! * & @ %.
const FAULTS: Record<string, string> = {
  BAD_ALIAS: 'is no valid anchor or alias. Quote a value that starts with & or *.',
  BAD_DIRECTIVE: 'is no valid directive. Quote a value that starts with %.',
  BAD_DQ_ESCAPE: 'has an escape that YAML does not know. In double quotes, write \\\\ for a backslash.',
  BAD_INDENT: 'is not indented as the block around it needs.',
  BAD_SCALAR_START: 'starts with a character that YAML reserves. Quote the value.',
  BLOCK_AS_IMPLICIT_KEY: 'has a second key on one line. Quote a value that contains ": ".',
  DUPLICATE_KEY: 'repeats a key of the same block. Keep one of them.',
  MISSING_CHAR: 'lacks a character, such as a closing quote, bracket or colon.',
  MULTIPLE_DOCS: 'holds a second YAML document; only one is read.',
  NON_STRING_KEY: 'has a key that is not a text.',
  TAB_AS_INDENT: 'is indented with a tab. Use spaces.',
  UNEXPECTED_TOKEN: 'is not expected here. Quote a value with { } [ ] or , in it: inside { } and [ ], so ${…} too.',
  TAG_RESOLVE_FAILED: 'has a tag that is not known here. Quote a value that starts with !.',
};

/** A YAML text that has been parsed without fault. @internal */
export interface YamlText {
  document: Document;
  /** See `ConfigOrigin.lineOf`. */
  lineOf(path: ConfigPath, key: boolean): number | undefined;
  /** The line of a node, from 1. */
  lineOfNode(node: unknown): number | undefined;
}

/** Parses `text`; throws `CONFIG_INVALID` with the line of every error and warning. @internal */
export function parseYaml(text: string, file: string | undefined): YamlText {
  const source = file === undefined ? {} : { file };
  const tooMuch = excess(text);
  if (tooMuch !== undefined) throw configError([tooMuch], source);
  const lines = new LineCounter();
  let document: Document;
  try {
    // Without prettyErrors: those quote whole lines.
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      merge: true,
      stringKeys: true,
      // The parser compares each key with all before it, which takes quadratic time.
      uniqueKeys: false,
    });
  } catch {
    throw configError([{ path: '', message: 'is not readable as YAML: it is nested too deeply.' }], source);
  }
  const faults = [...document.errors, ...document.warnings, ...repeatedKeys(document)];
  if (faults.length > 0) {
    // One fault makes the parser stumble over what follows: the first of each line tells.
    const byLine = new Map<number, ConfigIssue>();
    for (const { code, pos } of faults.sort((a, b) => a.pos[0] - b.pos[0])) {
      const { line } = lines.linePos(pos[0]);
      const reason = FAULTS[code] ?? `is not allowed here (${code}).`;
      if (!byLine.has(line)) byLine.set(line, { path: '', line, message: `is not readable as YAML: this ${reason}` });
    }
    const issues = [...byLine.values()].slice(0, MAX_FAULTS);
    throw configError(issues, source);
  }
  const lineOfNode = (node: unknown): number | undefined => {
    const range = (node as Node | null | undefined)?.range;
    return range ? lines.linePos(range[0]).line : undefined;
  };
  return { document, lineOfNode, lineOf: (path, key) => lineOf(document, path, key, lineOfNode) };
}

/** The document as plain values; throws `CONFIG_INVALID` for aliases that cannot be resolved. @internal */
export function toPlain({ document }: YamlText, file: string | undefined): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const reason = message.startsWith('Excessive alias')
      ? 'its aliases multiply to more than is allowed.'
      : message.startsWith('Merge sources')
        ? 'a << merge has to name a block, or a list of blocks.'
        : message.startsWith('Unresolved alias')
          ? 'an alias (*name) names no anchor before it. Quote a value that starts with *.'
          : 'an alias or a merge in it cannot be resolved.';
    throw configError(
      [{ path: '', message: `is not readable as YAML: ${reason}` }],
      file === undefined ? {} : { file },
    );
  }
}

function repeatedKeys(document: Document): { code: string; pos: [number, number] }[] {
  const repeated: { code: string; pos: [number, number] }[] = [];
  visit(document, {
    Map(_key, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const at = key.range?.[0] ?? 0;
        if (seen.has(key.value)) repeated.push({ code: 'DUPLICATE_KEY', pos: [at, at + 1] });
        seen.add(key.value);
      }
    },
  });
  return repeated;
}

function excess(text: string): ConfigIssue | undefined {
  if (Buffer.byteLength(text) > MAX_CONFIG_BYTES) {
    return { path: '', message: `is larger than ${MAX_CONFIG_BYTES} bytes, the most that is read.` };
  }
  const long = text.split('\n').findIndex((line) => line.length > MAX_LINE);
  if (long >= 0) return { path: '', line: long + 1, message: `has a line of more than ${MAX_LINE} characters.` };
  if ((text.match(/[[{]/g)?.length ?? 0) > MAX_BRACKETS) {
    return { path: '', message: `has more than ${MAX_BRACKETS} opening brackets.` };
  }
  return undefined;
}

function lineOf(
  document: Document,
  path: ConfigPath,
  ofKey: boolean,
  lineOfNode: (node: unknown) => number | undefined,
): number | undefined {
  let node: unknown = document.contents;
  let line = lineOfNode(node);
  for (const [index, key] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node)) node = node.items[Number(key)];
    else if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
      );
      line = lineOfNode(pair?.key) ?? line;
      if (ofKey && index === path.length - 1) return line;
      node = pair?.value;
    } else return line;
    if (node === undefined || node === null) return line;
    // A block's fault is shown at its key; a scalar's where the scalar is.
    if (isScalar(node) || isAlias(node)) line = lineOfNode(node) ?? line;
    else if (typeof key === 'number') line = lineOfNode(node) ?? line;
  }
  return line;
}
