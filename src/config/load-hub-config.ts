import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { configError } from '../core/validate.js';
import { expandExpressions } from './expand-expressions.js';
import type { HubConfig, LoadHubConfigOptions, ParseHubConfigOptions } from './hub-config.types.js';
import { finishHubConfig } from './validate-hub-config.js';
import { MAX_CONFIG_BYTES, parseYaml, toPlain } from './yaml-document.js';

/** Where the configuration is looked for when nothing else is said, relative to the working directory. */
export const DEFAULT_CONFIG_PATH = 'config/hub_config.yaml';

/**
 * Reads, expands and validates the configuration file: `path`, or `HUB_CONFIG_PATH`, or `config/hub_config.yaml`. When
 * that last one does not exist, the answer is the defaults. Synchronous: it runs once, before the application exists.
 * Throws `CONFIG_INVALID` with every fault in `details.issues`; and `ALREADY_EXISTS` when two of the drivers carry one
 * name.
 */
export function loadHubConfig<Experiment = unknown>(options: LoadHubConfigOptions): HubConfig<Experiment> {
  const env = options.env ?? process.env;
  const named = options.path ?? (env['HUB_CONFIG_PATH'] || undefined);
  const path = named ?? DEFAULT_CONFIG_PATH;
  const text = readConfig(path, named !== undefined);
  return parseHubConfig<Experiment>(text, { ...options, env, file: path });
}

/**
 * Expands and validates a configuration given as YAML text.
 * Throws `CONFIG_INVALID` with every fault in `details.issues`; and `ALREADY_EXISTS` when two of the drivers carry one
 * name.
 */
export function parseHubConfig<Experiment = unknown>(
  text: string,
  options: ParseHubConfigOptions,
): HubConfig<Experiment> {
  const yaml = parseYaml(text, options.file);
  const expansion = expandExpressions(yaml, options.env ?? process.env);
  // An empty file, or one of comments only, is null.
  const value = toPlain(yaml, options.file) ?? {};
  return finishHubConfig<Experiment>(value, options, {
    ...expansion,
    ...(options.file === undefined ? {} : { file: options.file }),
    lineOf: yaml.lineOf,
  });
}

function readConfig(path: string, mustExist: boolean): string {
  const fault = (message: string) => configError([{ path: '', message }], { file: path });
  const full = resolve(path);
  try {
    const stat = statSync(full);
    if (!stat.isFile()) throw fault(`${full} is not a regular file.`);
    if (stat.size > MAX_CONFIG_BYTES) throw fault(`is larger than ${MAX_CONFIG_BYTES} bytes, the most that is read.`);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(full));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    if (code === 'ENOENT' && !mustExist) return '';
    if (code === 'CONFIG_INVALID') throw error;
    if (code === 'ENOENT') throw fault(`does not exist: ${full}. Correct the path, or HUB_CONFIG_PATH.`);
    throw fault(`${full} cannot be read as UTF-8 text${code === undefined ? '' : ` (${code})`}.`);
  }
}
