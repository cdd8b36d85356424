import { snakeCase } from '../core/schema-walk.js';

/** A JSON Schema object. */
export type JsonSchema = { [keyword: string]: unknown };

/** What stands in a file in place of any value: a text that begins with an expression. @internal */
export const EXPRESSION: JsonSchema = { type: 'string', pattern: '^\\$\\{' };

/** `schema`, or nothing: an empty block in YAML is null. @internal */
export function nullable({ description, ...schema }: JsonSchema): JsonSchema {
  return { ...(description === undefined ? {} : { description }), anyOf: [schema, { type: 'null' }] };
}

/**
 * Widens what Joi exports to what a file may hold: every key also in snake_case (not both), and `${…}` in place of
 * numbers, booleans and texts of a required form.
 * @internal
 */
export function editorSchema(schema: JsonSchema): JsonSchema {
  const result: JsonSchema = { ...schema };
  for (const keyword of ['anyOf', 'oneOf', 'allOf', 'prefixItems']) {
    if (Array.isArray(schema[keyword])) result[keyword] = (schema[keyword] as unknown[]).map(widen);
  }
  for (const keyword of ['items', 'additionalProperties']) result[keyword] = widen(schema[keyword]);
  if (isSchema(schema['patternProperties'])) {
    const entries = Object.entries(schema['patternProperties']).map(([key, value]) => [key, widen(value)] as const);
    result['patternProperties'] = Object.fromEntries(entries);
  }
  if (isSchema(schema['properties'])) widenKeys(schema, schema['properties'], result);
  for (const keyword of Object.keys(result)) if (result[keyword] === undefined) delete result[keyword];
  return acceptExpression(result);
}

function widenKeys(schema: JsonSchema, properties: JsonSchema, result: JsonSchema): void {
  const required = new Set(Array.isArray(schema['required']) ? (schema['required'] as string[]) : []);
  const rules: JsonSchema[] = [];
  const widened: JsonSchema = {};
  for (const [key, value] of Object.entries(properties)) {
    const child = widen(value);
    widened[key] = child;
    const snake = snakeCase(key);
    if (snake === key) continue;
    widened[snake] = child;
    rules.push({ not: { required: [key, snake] } });
    if (required.delete(key)) rules.push({ anyOf: [{ required: [key] }, { required: [snake] }] });
  }
  result['properties'] = widened;
  result['required'] = required.size === 0 ? undefined : [...required];
  if (rules.length > 0) result['allOf'] = [...((result['allOf'] ?? []) as unknown[]), ...rules];
}

function acceptExpression(schema: JsonSchema): JsonSchema {
  const { description, default: fallback, ...rest } = schema;
  const typed = rest['type'];
  const formed = ['enum', 'const', 'pattern', 'format', 'maxLength'].some((keyword) => keyword in rest);
  const scalar = typed === 'number' || typed === 'integer' || typed === 'boolean';
  if (!scalar && !formed) return schema;
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    // A text may also have an expression in its middle.
    anyOf: [rest, scalar ? EXPRESSION : { type: 'string', pattern: '\\$\\{' }],
  };
}

function widen(value: unknown): unknown {
  return isSchema(value) ? editorSchema(value) : value;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
