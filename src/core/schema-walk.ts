import type { Description, Schema } from 'joi';

/** What Joi's `describe()` says of a schema, as far as the hub reads it. */
export interface SchemaDescription extends Omit<Description, 'keys'> {
  flags?: Record<string, unknown> & { default?: unknown; description?: string; presence?: string };
  metas?: { secret?: boolean }[];
  allow?: unknown[];
  keys?: Record<string, SchemaDescription>;
  items?: SchemaDescription[];
  patterns?: { rule: SchemaDescription }[];
  matches?: SchemaBranch[];
  whens?: (SchemaBranch & { ref?: { path?: string[] } })[];
  renames?: { from: string; to: string }[];
}

interface SchemaBranch {
  schema?: SchemaDescription;
  is?: SchemaDescription;
  then?: SchemaDescription;
  otherwise?: SchemaDescription;
  switch?: SchemaBranch[];
}

// Schemas never change, and describing one takes milliseconds that every boot would pay several times.
const descriptions = new WeakMap<Schema, SchemaDescription>();

/** What `schema` says of itself. */
export function describeSchema(schema: Schema): SchemaDescription {
  const known = descriptions.get(schema) ?? (schema.describe() as SchemaDescription);
  descriptions.set(schema, known);
  return known;
}

/** The other spelling of a camelCase key. */
export function snakeCase(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The key of `value` that a schema's `key` is written as there: itself, or its snake_case spelling. */
export function spelling(value: unknown, key: string): string {
  if (typeof value !== 'object' || value === null || Object.hasOwn(value, key)) return key;
  const snake = snakeCase(key);
  return Object.hasOwn(value, snake) ? snake : key;
}

/** The own property `key` of `value`, in either spelling. */
export function ownValue(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const written = spelling(value, String(key));
  return Object.hasOwn(value, written) ? (value as Record<string, unknown>)[written] : undefined;
}

/**
 * Every schema that may apply to `key` of `value` (a conditional one only if its condition holds), given the schemas
 * that may apply to `value` itself.
 */
export function schemasOf(schemas: SchemaDescription[], value: unknown, key: string): SchemaDescription[] {
  return schemas.flatMap(expand).flatMap((schema) => {
    const child = keyOf(schema, key);
    const found = child === undefined ? (schema.patterns ?? []).map((pattern) => pattern.rule) : [child];
    return [...found, ...(schema.items ?? [])].flatMap((candidate) => resolveWhens(candidate, schema, value));
  });
}

/** The keys that the given schemas of one object know. */
export function knownKeys(schemas: SchemaDescription[]): string[] {
  const keys = schemas.flatMap(expand).flatMap((schema) => Object.entries(schema.keys ?? {}));
  return [...new Set(keys.flatMap(([key, child]) => (child.flags?.presence === 'forbidden' ? [] : [key])))];
}

function keyOf(schema: SchemaDescription, key: string): SchemaDescription | undefined {
  const keys = schema.keys ?? {};
  if (Object.hasOwn(keys, key)) return keys[key];
  const name = Object.keys(keys).find((candidate) => snakeCase(candidate) === key);
  return name === undefined ? undefined : keys[name];
}

/** A schema and, for alternatives, all of theirs. */
export function expand(schema: SchemaDescription): SchemaDescription[] {
  const branches = (schema.matches ?? []).flatMap(outcomes);
  return [schema, ...branches.flatMap(expand)];
}

function outcomes(branch: SchemaBranch): SchemaDescription[] {
  const own = [branch.schema, branch.then, branch.otherwise].filter((schema) => schema !== undefined);
  return [...own, ...(branch.switch ?? []).flatMap(outcomes)];
}

function resolveWhens(schema: SchemaDescription, parent: SchemaDescription, value: unknown): SchemaDescription[] {
  const chosen = (schema.whens ?? []).flatMap((when) => {
    const key = when.ref?.path?.[0];
    const given = key === undefined ? undefined : (ownValue(value, key) ?? keyOf(parent, key)?.flags?.default);
    return (when.switch ?? [when]).flatMap((branch) =>
      key === undefined || branch.is?.allow === undefined || branch.is.allow.includes(given) ? outcomes(branch) : [],
    );
  });
  return [schema, ...chosen];
}
