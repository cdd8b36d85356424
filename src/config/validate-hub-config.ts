import { HubError } from '../core/errors.js';
import { ownValue } from '../core/schema-walk.js';
import { markedSecrets, markSecrets } from '../core/secrets.js';
import type { HubLogLevel } from '../core/hub-logger.js';
import { configError, findIssues, joinPath, type ConfigIssue, type ConfigPath } from '../core/validate.js';
import type { ExpandedText } from './expand-expressions.js';
import { findStructureIssues } from './config-structure.js';
import { hubConfigSchema, LOG_LEVEL_ALIASES } from './hub-config.schema.js';
import type { HubConfig, HubConfigSchemas, HubOptions } from './hub-config.types.js';

/** What is known of a value that came from a file. @internal */
export interface ConfigOrigin {
  /** The file's name in error messages. */
  file?: string;
  /** Faults found while reading; faults of the schema at the same places are left out. */
  issues: ConfigIssue[];
  /** The text behind values that were a number, boolean or null once expanded, by joined path. */
  texts: Map<string, ExpandedText>;
  /** What `${file:…}` read. */
  secrets: string[];
  /** The line of a place: of its key when `key`, else of its value; of the nearest place around it that has one. */
  lineOf(path: ConfigPath, key: boolean): number | undefined;
}

/**
 * Validates a configuration given as an object, the same as the YAML: both spellings of keys, every fault at once.
 * `${…}` is not expanded here, only in files.
 * Throws `CONFIG_INVALID` with `details.issues`, a list of {@link ConfigIssue}, whatever the value is; and
 * `ALREADY_EXISTS` when two of the drivers carry one name.
 */
export function validateHubConfig<Experiment = unknown>(
  value: HubOptions | undefined,
  schemas: HubConfigSchemas,
): HubConfig<Experiment> {
  return finishHubConfig(value ?? {}, schemas);
}

/** Validates what was read from a file, or given. @internal */
export function finishHubConfig<Experiment>(
  value: unknown,
  schemas: HubConfigSchemas,
  origin?: ConfigOrigin,
): HubConfig<Experiment> {
  const source = origin?.file === undefined ? {} : { file: origin.file };
  try {
    const issues = [...(origin?.issues ?? []), ...withLines(findStructureIssues(value), origin)];
    // Joi would follow a cycle or lose a __proto__ key, so the schema is asked only about sound values.
    if (issues.length > (origin?.issues.length ?? 0)) throw configError(issues, source);
    const found = findWithTexts(value, schemas, origin);
    const before = new Set(issues.map((issue) => issue.path));
    issues.push(...withLines(found.issues, origin).filter((issue) => !before.has(issue.path)));
    if (issues.length > 0) throw configError(issues, source);
    return filled(found.value as HubConfig<Experiment>, value, origin);
  } catch (error) {
    if (HubError.is(error)) throw error;
    // No cause: its message may quote a value.
    throw configError([{ path: '', message: 'cannot be validated: a schema or an accessor in it throws.' }], source);
  }
}

function findWithTexts(
  value: unknown,
  schemas: HubConfigSchemas,
  origin: ConfigOrigin | undefined,
): ReturnType<typeof findIssues> {
  const schema = hubConfigSchema(schemas);
  let found = findIssues(schema, value);
  // Again and again, since one look tells the first faults only.
  while (restoreTexts(found.issues, value, origin)) found = findIssues(schema, value);
  return found;
}

/** Puts the texts back that were meant, and tells whether there was one. */
function restoreTexts(
  issues: ReturnType<typeof findIssues>['issues'],
  value: unknown,
  origin: ConfigOrigin | undefined,
): boolean {
  // `password: ${PW}` with PW=123456 is a number to YAML; where the schema wants a string, the text was meant.
  const restored = issues.filter(({ at, path }) => {
    const holder = at.slice(0, -1).reduce<unknown>((parent, key) => ownValue(parent, key), value);
    const key = at.at(-1);
    if (typeof holder !== 'object' || holder === null || key === undefined || !Object.hasOwn(holder, key)) return false;
    const values = holder as Record<string | number, unknown>;
    // Through an alias or a merge the value stands at other places than the one that was expanded.
    const texts = origin?.texts ?? new Map<string, ExpandedText>();
    const expanded = texts.get(path) ?? [...texts.values()].find((candidate) => candidate.value === values[key]);
    // What has been put back and is a fault all the same must not be put back again and again.
    if (expanded === undefined || !Object.is(values[key], expanded.value)) return false;
    values[key] = expanded.text;
    return true;
  });
  return restored.length > 0;
}

function withLines(
  issues: (ConfigIssue & { at: ConfigPath; type?: string })[],
  origin: ConfigOrigin | undefined,
): ConfigIssue[] {
  return issues.map(({ at, type, ...issue }) => {
    const isKey = type === 'object.unknown' || type === 'object.rename.override';
    const line = origin?.lineOf(at, isKey);
    return { ...issue, path: joinPath(at), ...(line === undefined ? {} : { line }) };
  });
}

function filled<Experiment>(
  config: HubConfig<Experiment>,
  given: unknown,
  origin: ConfigOrigin | undefined,
): HubConfig<Experiment> {
  const level: string = config.global.logLevel;
  const logLevel = (
    Object.hasOwn(LOG_LEVEL_ALIASES, level) ? LOG_LEVEL_ALIASES[level as keyof typeof LOG_LEVEL_ALIASES] : level
  ) as HubLogLevel;
  for (const [type, plugin] of Object.entries(config.plugins)) {
    // A loaded configuration that is validated again (forRootAsync) keeps its marks, though its blocks are copied.
    const before = markedSecrets(ownValue(ownValue(ownValue(given, 'plugins'), type), 'config'));
    markSecrets(plugin.config, [...before, ...(origin?.secrets ?? [])]);
  }
  return { ...config, version: String(config.version), global: { ...config.global, logLevel } };
}
