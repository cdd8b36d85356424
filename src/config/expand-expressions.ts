import { isMap, isPair, isScalar, isSeq, visit, type Document } from 'yaml';
import { joinPath, type ConfigIssue, type ConfigPath } from '../core/validate.js';
import { readSecretFile } from './secret-file.js';
import type { YamlText } from './yaml-document.js';

// `$${` is an escape; `${…}` ends at the first closing brace, so a default cannot hold one.
const EXPRESSION = /\$\$\{|\$\{([^}]*)(\}?)/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** A value that YAML reads as a number, boolean or null, and the text that it is. @internal */
export interface ExpandedText {
  text: string;
  value: unknown;
}

/** What {@link expandExpressions} found. @internal */
export interface Expansion {
  issues: ConfigIssue[];
  /** See `ConfigOrigin.texts`. */
  texts: Map<string, ExpandedText>;
  /** See `ConfigOrigin.secrets`. */
  secrets: string[];
}

/**
 * Replaces `${VAR}`, `${VAR:-default}` (used when VAR is unset or empty) and `${file:/absolute/path}` in every scalar
 * that is a value, once: what was put in is not looked at again, and never becomes YAML structure. Keys stay as they
 * are. An unquoted scalar that is one expression is a number, boolean or null when its text reads so; a quoted one, and
 * what comes from a file, stays text. `$${` stands for `${`.
 * @internal
 */
export function expandExpressions(
  { document, lineOfNode }: YamlText,
  env: Readonly<Record<string, string | undefined>>,
): Expansion {
  const expansion: Expansion = { issues: [], texts: new Map(), secrets: [] };
  const indexes = new WeakMap<object, Map<unknown, number>>();
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
      const path = pathOf([...ancestors, node], indexes);
      const line = lineOfNode(node);
      let fromFile = false;
      const text = node.value.replaceAll(EXPRESSION, (whole: string, body: string | undefined, close: string) => {
        if (body === undefined) return '${';
        const found =
          close === '' ? { fault: 'has ${ without }. Write $${ for a literal ${.' } : evaluate(body, path, env);
        if ('fault' in found) {
          expansion.issues.push({
            path: joinPath(path),
            ...(line === undefined ? {} : { line }),
            message: found.fault,
          });
          return whole;
        }
        if (found.secret) {
          fromFile = true;
          expansion.secrets.push(found.text);
        }
        return found.text;
      });
      const whole = node.type === 'PLAIN' && !fromFile && /^\$\{[^}]*\}$/.test(node.value);
      node.value = whole ? coreScalar(text, document) : text;
      if (whole && node.value !== text) expansion.texts.set(joinPath(path), { text, value: node.value });
    },
  });
  return expansion;
}

function evaluate(
  body: string,
  path: ConfigPath,
  env: Readonly<Record<string, string | undefined>>,
): { text: string; secret?: boolean } | { fault: string } {
  if (body.startsWith('file:')) {
    if (path[0] === 'plugins' && path.length === 3 && path[2] === 'type') {
      return {
        fault: 'may not be read from a file: a file is a secret, and the name of a driver is shown everywhere.',
      };
    }
    const read = readSecretFile(body.slice('file:'.length));
    return 'fault' in read ? read : { text: read.text, secret: true };
  }
  const [, name, fallback] = VARIABLE.exec(body) ?? [];
  if (name === undefined) {
    return { fault: 'holds ${…} that is none of ${VAR}, ${VAR:-default}, ${file:/path}. Write $${ for a literal ${.' };
  }
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (fallback !== undefined) return { text: value === undefined || value === '' ? fallback : value };
  if (value !== undefined) return { text: value };
  return { fault: `needs the environment variable ${name}, which is not set. Set it, or write \${${name}:-default}.` };
}

/** A text as YAML's core schema reads a plain scalar. An empty text stays one: `null` would say that the key is absent. */
function coreScalar(text: string, document: Document): unknown {
  if (text === '') return text;
  for (const tag of document.schema?.tags ?? []) {
    if (tag.default !== true || !('test' in tag) || tag.test === undefined || !('resolve' in tag)) continue;
    if (!tag.test.test(text) || typeof tag.resolve !== 'function') continue;
    const resolve = tag.resolve as (value: string, onError: () => void, options: object) => unknown;
    const value = resolve(text, () => undefined, {});
    return isScalar(value) ? value.value : value;
  }
  return text;
}

function pathOf(nodes: readonly unknown[], indexes: WeakMap<object, Map<unknown, number>>): ConfigPath {
  const path: (string | number)[] = [];
  for (const [index, node] of nodes.entries()) {
    if (isPair(node)) path.push(String(isScalar(node.key) ? node.key.value : node.key));
    else if (isSeq(node) && !isMap(node)) {
      // Found once for a whole list: looking for each item of a long one takes quadratic time.
      const known = indexes.get(node) ?? new Map<unknown, number>(node.items.map((item, place) => [item, place]));
      indexes.set(node, known);
      path.push(known.get(nodes[index + 1]) ?? -1);
    }
  }
  return path;
}
