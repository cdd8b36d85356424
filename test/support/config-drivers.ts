import Joi from 'joi';
import type { HubConfigSchemas } from '../../src/config/index.js';
import { defineDriver, type DriverDescriptor } from '../../src/core/driver.js';
import { HubError } from '../../src/core/errors.js';
import type { ConfigIssue } from '../../src/core/validate.js';

/** A descriptor for tests of schemas; it cannot be loaded. */
export function schemaDriver(type: string, name: string, keys: Joi.PartialSchemaMap): DriverDescriptor {
  return defineDriver({
    type,
    name,
    label: name,
    peers: [],
    schema: Joi.object(keys),
    load: () => Promise.reject(new Error('a driver for schemas only')),
  });
}

const local = {
  dataDir: Joi.string().default('.experiment-hub').description('Folder.'),
  limits: Joi.object({ maxItems: Joi.number().integer().default(7), strict: Joi.boolean() }).default(),
  queues: Joi.array().items(Joi.object({ name: Joi.string().required(), maxLength: Joi.number() })),
};

/** Three plugin types with a local driver, and one remote driver with secrets, free maps and required keys. */
export const configSchemas: HubConfigSchemas = {
  drivers: [
    schemaDriver('mlops', 'local', local),
    schemaDriver('mlops', 'remote', {
      trackingUri: Joi.string().uri().required(),
      password: Joi.string()
        .pattern(/^[a-z]+-/)
        .meta({ secret: true }),
      port: Joi.number().integer().max(65_535),
      headers: Joi.object().pattern(Joi.string(), Joi.any()),
      mode: Joi.string().valid('fast', 'safe').default('safe'),
    }),
    schemaDriver('datastream', 'local', local),
    schemaDriver('taskqueue', 'local', local),
  ],
  experimentsSchema: Joi.array().items(Joi.object({ name: Joi.string().required(), trainTask: Joi.string() })),
};

/** The HubError with CONFIG_INVALID that `work` throws; fails when it throws nothing or anything else. */
export function configErrorOf(work: () => unknown): HubError & { issues: ConfigIssue[] } {
  try {
    work();
  } catch (error) {
    if (!HubError.is(error, 'CONFIG_INVALID')) throw error;
    return Object.assign(error, { issues: error.details['issues'] as ConfigIssue[] });
  }
  throw new Error('expected CONFIG_INVALID, but nothing was thrown');
}
