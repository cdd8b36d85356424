import type { ObjectSchema, Schema, ValidationErrorItem } from 'joi';
import { HubError, type HubErrorOptions } from './errors.js';

/** One fault in a configuration; `details.issues` of a `CONFIG_INVALID` error is a list of these. */
export interface ConfigIssue {
  /** Where, e.g. `plugins.mlops.config.path`. */
  path: string;
  /** Line in the YAML file, from 1, when the value came from one. */
  line?: number;
  /** What is wrong and what was expected. Never holds the value of a secret. */
  message: string;
  /** For a misspelt key or driver: the likely one. */
  suggestion?: string;
}

/** Where the value comes from, for messages. */
export interface ValidateContext {
  /** Name of the validated block; it starts the path of each fault. Empty for a whole file. */
  what: string;
  plugin?: string;
  driver?: string;
}

/** Validates `value`, reports all faults at once as `CONFIG_INVALID`, and returns it with defaults filled in. */
export function validateOptions<T>(schema: Schema, value: unknown, context: ValidateContext): T {
  const { error, value: valid } = schema.validate(value, { abortEarly: false, errors: { wrap: { label: false } } });
  if (error === undefined) return valid as T;
  const issues = error.details.map((item) => issueOf(item, context.what));
  throw configError(issues, context);
}

/** The `CONFIG_INVALID` error of a list of faults. */
export function configError(issues: ConfigIssue[], source: HubErrorOptions & { what?: string } = {}): HubError {
  const lines = issues.map((issue) => {
    const line = issue.line === undefined ? '' : ` (line ${issue.line})`;
    const likely = issue.suggestion === undefined ? '' : ` Did you mean ${JSON.stringify(issue.suggestion)}?`;
    return `\n  - ${issue.path || '(top)'}${line}: ${issue.message}${likely}`;
  });
  const { plugin, driver, cause } = source;
  return new HubError('CONFIG_INVALID', `the configuration has ${issues.length} fault(s):${lines.join('')}`, {
    ...(plugin === undefined ? {} : { plugin }),
    ...(driver === undefined ? {} : { driver }),
    ...(cause === undefined ? {} : { cause }),
    details: { issues },
  });
}

/** Lets every key of an object schema (recursively) also be written in snake_case; giving both is a fault. */
export function acceptSnakeCase<S extends Schema>(schema: S): S {
  const keys = (schema as unknown as { $_terms: { keys?: { key: string; schema: Schema }[] } }).$_terms.keys;
  if (schema.type !== 'object' || !keys) return schema;
  let result = schema as unknown as ObjectSchema;
  for (const { key, schema: child } of keys) {
    const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (child.type === 'object') result = result.keys({ [key]: acceptSnakeCase(child) });
    if (snake !== key) result = result.rename(snake, key);
  }
  return result as unknown as S;
}

function issueOf(item: ValidationErrorItem, what: string): ConfigIssue {
  const path = [...(what === '' ? [] : [what]), ...item.path].join('.');
  return { path, message: item.message };
}
