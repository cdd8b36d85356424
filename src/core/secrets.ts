import type { Schema } from 'joi';
import { describeSchema, expand, schemasOf, type SchemaDescription } from './schema-walk.js';

// Secrets that no schema knows of, by the object they were read into. Weak: they go with the configuration.
const marked = new WeakMap<object, readonly string[]>();

/** Notes that `secrets` belong to `config`, so that {@link collectSecrets} finds them there whatever its schema says. */
export function markSecrets(config: object, secrets: readonly string[]): void {
  if (secrets.length > 0) marked.set(config, [...(marked.get(config) ?? []), ...secrets]);
}

/** What {@link markSecrets} noted for `config`. */
export function markedSecrets(config: unknown): readonly string[] {
  return typeof config === 'object' && config !== null ? (marked.get(config) ?? []) : [];
}

/**
 * The secrets in `value`: strings, numbers and bytes (as UTF-8 text) at (and below) every place that `schema` marks with
 * `.meta({ secret: true })`, passwords in URLs, and what {@link markSecrets} noted. Either spelling of a key is found.
 */
export function collectSecrets(schema: Schema, value: unknown): string[] {
  const secrets = new Set<string>();
  collect([describeSchema(schema)], value, false, secrets, new Set());
  return [...secrets];
}

function collect(
  schemas: SchemaDescription[],
  value: unknown,
  inherited: boolean,
  secrets: Set<string>,
  open: Set<object>,
): void {
  const secret =
    inherited || schemas.flatMap(expand).some((schema) => schema.metas?.some((meta) => meta.secret === true));
  if (typeof value === 'string' || typeof value === 'number') {
    if (secret) for (const form of formsOf(String(value))) secrets.add(form);
    for (const password of urlPasswords(String(value))) secrets.add(password);
    return;
  }
  if (typeof value !== 'object' || value === null || open.has(value)) return;
  for (const text of markedSecrets(value)) for (const form of formsOf(text)) secrets.add(form);
  if (ArrayBuffer.isView(value)) {
    // Before the properties: those of a key file are its bytes, one number each.
    const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
    if (secret) for (const form of formsOf(text)) secrets.add(form);
    return;
  }
  open.add(value);
  for (const [key, item] of Object.entries(value)) {
    collect(schemasOf(schemas, value, key), item, secret, secrets, open);
  }
  open.delete(value);
}

/** Shortest line of a secret of several lines that is hidden on its own, in characters. */
const MIN_LINE = 8;

/** A secret as it is, as it stands in a URL and in JSON, and its lines: logs and `util.inspect` break it into those. */
function formsOf(secret: string): string[] {
  if (secret === '') return [];
  const lines = secret.split(/[\r\n]+/).filter((line) => line !== secret && line.length >= MIN_LINE);
  const forms = [secret, JSON.stringify(secret).slice(1, -1), ...lines];
  try {
    return [...forms, encodeURIComponent(secret)];
  } catch {
    // A lone surrogate has no form in a URL.
    return forms;
  }
}

function urlPasswords(text: string): string[] {
  if (!text.includes('://')) return [];
  // By hand beside the parser: a raw `@` or `/` in a password makes URLs that no parser reads, and it leaks all the same.
  const raw = /^[a-z][a-z0-9+.-]*:\/\/[^:@/]*:(.*)@/is.exec(text)?.[1];
  const parsed = URL.canParse(text) ? new URL(text).password : '';
  return [raw, parsed].flatMap((password) =>
    password === undefined || password === '' ? [] : [password, decode(password)],
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
