import type { ModifyOptions, ObjectSchema, Schema, ValidationErrorItem } from 'joi';
import { HubError, type HubErrorOptions } from './errors.js';
import { nearest } from './nearest.js';
import { Redactor } from './redact.js';
import {
  describeSchema,
  knownKeys,
  ownValue,
  schemasOf,
  snakeCase,
  spelling,
  type SchemaDescription,
} from './schema-walk.js';
import { collectSecrets } from './secrets.js';

/** One fault in a configuration; `details.issues` of a `CONFIG_INVALID` error is a list of these. */
export interface ConfigIssue {
  /** Where, spelt as in the input, e.g. `plugins.mlops.config.data_dir` or `experiments[0].name`. */
  path: string;
  /** Line in the YAML file, from 1, when the value came from one. */
  line?: number;
  /** What is wrong and what was expected. Never holds a value from the configuration. */
  message: string;
  /** For a misspelt key or driver: the likely one. */
  suggestion?: string;
}

/** Most faults that one error lists. */
const MAX_ISSUES = 100;

/** Where a fault lies: the keys from the top, as they are spelt in the input. */
export type ConfigPath = readonly (string | number)[];

/** Where the value comes from, for messages. */
export interface ValidateContext {
  /** Name of the validated block; it starts the path of each fault. Empty for a whole file. */
  what: string;
  plugin?: string;
  driver?: string;
}

// Joi's own texts for these quote the value, which may be a secret.
const MESSAGES = {
  'string.pattern.base': 'does not have the required form {{#regex}}',
  'string.pattern.name': 'does not have the required form: {{#name}}',
  'string.pattern.invert.base': 'has the forbidden form {{#regex}}',
  'string.pattern.invert.name': 'has the forbidden form: {{#name}}',
};

/** Validates `value`, reports all faults at once as `CONFIG_INVALID`, and returns it with defaults filled in. */
export function validateOptions<T>(schema: Schema, value: unknown, context: ValidateContext): T {
  const { issues, value: valid } = findIssues(schema, value);
  if (issues.length === 0) return valid as T;
  throw configError(
    issues.map((issue) => ({ ...issue, path: joinPath([context.what, issue.path].filter((part) => part !== '')) })),
    context,
  );
}

/** Every fault of `value` (a few more than one error lists at most), each with its place, and the value with defaults filled in (of use only without faults). */
export function findIssues(
  schema: Schema,
  value: unknown,
): { issues: (ConfigIssue & { at: ConfigPath; type: string })[]; value: unknown } {
  const { error, value: valid } = schema.validate(value, {
    abortEarly: false,
    errors: { label: false, wrap: { label: false } },
    messages: MESSAGES,
  }) as { error?: { details: ValidationErrorItem[] }; value: unknown };
  if (error === undefined) return { issues: [], value: valid };
  const description = describeSchema(schema);
  // A driver's own message template may still quote the value.
  const redactor = new Redactor(collectSecrets(schema, value));
  const details = error.details.slice(0, MAX_ISSUES + 1);
  return { issues: details.map((item) => issueOf(item, description, value, redactor)), value: valid };
}

/** `a.b[0].c` of a path. */
export function joinPath(path: ConfigPath): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? key : `${text}.${key}`;
  }, '');
}

/** The `CONFIG_INVALID` error of a list of faults; of more than 100 it holds the first 100. */
export function configError(
  found: ConfigIssue[],
  source: HubErrorOptions & { what?: string; file?: string } = {},
): HubError {
  const issues = found.slice(0, MAX_ISSUES);
  const lines = issues.map((issue) => {
    const line = issue.line === undefined ? '' : ` (line ${issue.line})`;
    const likely = issue.suggestion === undefined ? '' : ` Did you mean ${JSON.stringify(issue.suggestion)}?`;
    return `\n  - ${issue.path || '(top)'}${line}: ${issue.message}${likely}`;
  });
  const { plugin, driver, cause, file } = source;
  const subject = file === undefined ? 'the configuration' : `the configuration file ${file}`;
  const more = found.length > issues.length ? 'more than ' : '';
  const faults = issues.length === 1 ? 'a fault' : `${more}${issues.length} faults`;
  return new HubError('CONFIG_INVALID', `${subject} has ${faults}:${lines.join('')}`, {
    ...(plugin === undefined ? {} : { plugin }),
    ...(driver === undefined ? {} : { driver }),
    ...(cause === undefined ? {} : { cause }),
    details: { issues, ...(file === undefined ? {} : { file }) },
  });
}

/**
 * Lets every known key of a schema, at any depth and in arrays, also be written in snake_case; giving both is a fault.
 * The keys of free maps stay as they are. Can be applied again without effect.
 */
export function acceptSnakeCase<S extends Schema>(schema: S): S {
  // Joi's types say `each?: boolean`; it is a function of a child schema.
  const options = { each: (child: Schema) => acceptSnakeCase(child), ref: false } as unknown as ModifyOptions;
  const modified = schema.$_modify(options);
  // A list keeps the schemas of its items a second time, sorted; only the rebuild makes them those of the copy.
  if (modified !== schema) modified.$_mutateRebuild();
  if (modified.type !== 'object') return modified as S;
  const { keys, renames } = (modified as unknown as { $_terms: ObjectTerms }).$_terms;
  let result = modified as unknown as ObjectSchema;
  for (const { key } of keys ?? []) {
    const snake = snakeCase(key);
    if (snake === key || renames?.some((rename) => rename.from === snake)) continue;
    result = result.rename(snake, key);
  }
  return result as unknown as S;
}

interface ObjectTerms {
  keys?: { key: string }[] | null;
  renames?: { from: string; to: string }[] | null;
}

function issueOf(
  item: ValidationErrorItem,
  description: SchemaDescription,
  value: unknown,
  redactor: Redactor,
): ConfigIssue & { at: ConfigPath; type: string } {
  const at: (string | number)[] = [];
  let schemas = [description];
  let current = value;
  const step = (key: string | number): void => {
    at.push(typeof key === 'number' ? key : spelling(current, key));
    schemas = schemasOf(schemas, current, String(key));
    current = ownValue(current, key);
  };
  const path = item.type === 'object.unknown' ? item.path.slice(0, -1) : item.path;
  path.forEach(step);
  const issue = (last: (string | number)[], message: string, suggestion?: string) => {
    const full = [...at, ...last];
    const text = redactor.text(message);
    const likely = suggestion === undefined ? {} : { suggestion };
    return { path: joinPath(full), at: full, type: item.type, message: text, ...likely };
  };
  if (item.type === 'object.unknown') {
    const key = String(item.path.at(-1));
    const known = knownKeys(schemas);
    const expected = known.length === 0 ? 'No key is known here.' : `Known here: ${known.join(', ')}.`;
    const likely = nearest(key, known);
    return issue([key], `is not a known key. ${expected}`, key.includes('_') && likely ? snakeCase(likely) : likely);
  }
  if (item.type === 'object.rename.override') {
    const { from, to } = item.context as { from: string; to: string };
    return issue([from], `is given twice, as ${from} and as ${to}: keep one of them.`);
  }
  const valids = ((item.context?.['valids'] ?? []) as unknown[]).filter((valid) => typeof valid === 'string');
  const likely = typeof current === 'string' && valids.length > 0 ? nearest(current, valids) : undefined;
  return issue([], `${item.message}.`.replace(/\.\.$/, '.'), likely);
}
