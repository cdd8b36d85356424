import Joi from 'joi';
import { driverTable } from '../core/driver.js';
import { DEFAULT_DRIVER, pluginSchema } from '../core/plugin-options.js';
import { DEFAULT_SHUTDOWN_TIMEOUT } from '../core/plugin-registry.js';
import { HUB_LOG_LEVELS } from '../core/hub-logger.js';
import { acceptSnakeCase } from '../core/validate.js';
import type { HubConfigSchemas } from './hub-config.types.js';

/** Names of levels in other logging systems, among them ObservML's, and Nest's name for each. */
export const LOG_LEVEL_ALIASES = { info: 'log', warning: 'warn', critical: 'fatal', trace: 'verbose' } as const;

const logLevel = Joi.string()
  .lowercase()
  .valid(...HUB_LOG_LEVELS, ...Object.keys(LOG_LEVEL_ALIASES))
  .default('log')
  .description('The least severe level that is logged, in any case. info means log.');

/** Joi schema of `version`. */
export const versionSchema = Joi.alternatives(Joi.string(), Joi.number())
  .default('1')
  .description("Version of the file's format.");

/** Joi schema of the `global` block. */
export const globalSchema = Joi.object({
  logLevel,
  environment: Joi.string()
    .default('development')
    .description('Name of the deployment, e.g. production. For your own use: the hub does not read it.'),
  shutdownTimeout: Joi.number()
    .integer()
    .min(1)
    .default(DEFAULT_SHUTDOWN_TIMEOUT)
    .description('How long drain and close may take together at shutdown, in ms.'),
  workDir: Joi.string()
    .default('.experiment-hub/work')
    .description(
      'Folder for the files of models that experiments hand to tasks. Workers that share it read them there.',
    ),
});

/** Joi schema of a whole configuration, composed from the drivers. Empty blocks (null in YAML) count as absent. */
export function hubConfigSchema({ drivers, experimentsSchema }: HubConfigSchemas): Joi.ObjectSchema {
  const plugins = pluginTypes(drivers).map((type) => {
    const schema = pluginSchema(type, drivers).empty(null).description(`The ${type} plugin.`);
    return [type, driverTable(type, drivers).has(DEFAULT_DRIVER) ? schema.default() : schema] as const;
  });
  return acceptSnakeCase(
    Joi.object({
      version: versionSchema,
      global: globalSchema.empty(null).default().description('What holds for the whole hub.'),
      plugins: Joi.object(Object.fromEntries(plugins)).empty(null).default().description('One block per plugin type.'),
      experiments: experimentsSchema.empty(null).default([]),
    }),
  );
}

/** The plugin types that the drivers implement, in the order in which they first occur. */
export function pluginTypes(drivers: HubConfigSchemas['drivers']): string[] {
  return [...new Set(drivers.map((driver) => driver.type))];
}
