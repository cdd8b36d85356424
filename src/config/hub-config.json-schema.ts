import type Joi from 'joi';
import { driverTable, type DriverDescriptor } from '../core/driver.js';
import { DEFAULT_DRIVER, pluginBlockSchema } from '../core/plugin-options.js';
import { editorSchema, EXPRESSION, nullable, type JsonSchema } from './editor-schema.js';
import { globalSchema, LOG_LEVEL_ALIASES, pluginTypes, versionSchema } from './hub-config.schema.js';
import { HUB_LOG_LEVELS } from '../core/hub-logger.js';
import type { HubConfigSchemas } from './hub-config.types.js';

/**
 * JSON Schema (draft 2020-12) of a configuration file, for completion and checks in editors. It comes from Joi's own
 * export, block by block and driver by driver. Both spellings of a key and `${…}` in place of any value are accepted,
 * so it allows a little more than {@link loadHubConfig}, never less.
 */
export function hubConfigJsonSchema({ drivers, experimentsSchema }: HubConfigSchemas): JsonSchema {
  const plugins = pluginTypes(drivers).map((type) => [type, nullable(pluginJsonSchema(type, drivers))] as const);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of nestjs-experiment-hub',
    type: 'object',
    properties: {
      version: { description: "Version of the file's format.", ...editorSchema(exported(versionSchema)) },
      global: nullable({ description: 'What holds for the whole hub.', ...globalJsonSchema() }),
      plugins: nullable({
        description: 'One block per plugin type.',
        type: 'object',
        properties: Object.fromEntries(plugins),
        additionalProperties: false,
      }),
      experiments: nullable({
        description: 'The experiments of the hub.',
        ...editorSchema(exported(experimentsSchema)),
      }),
    },
    additionalProperties: false,
  };
}

function globalJsonSchema(): JsonSchema {
  const schema = exported(globalSchema);
  const { logLevel = {}, ...others } = (schema['properties'] ?? {}) as Record<string, JsonSchema>;
  // Joi compares in lower case, which JSON Schema cannot; both usual spellings are listed instead.
  const names = [...HUB_LOG_LEVELS, ...Object.keys(LOG_LEVEL_ALIASES)];
  const anyCase = { ...logLevel, enum: [...names, ...names.map((name) => name.toUpperCase())] };
  return editorSchema({ ...schema, properties: { logLevel: anyCase, ...others } });
}

/** One branch per driver, told apart by `type`: Joi exports a `when` as a schema that accepts anything. */
function pluginJsonSchema(type: string, drivers: readonly DriverDescriptor[]): JsonSchema {
  const block = exported(pluginBlockSchema);
  const branches = [...driverTable(type, drivers).values()].map((driver): JsonSchema => {
    const { properties = {}, ...rest } = editorSchema(block) as JsonSchema & { properties?: JsonSchema };
    return {
      title: driver.label,
      ...rest,
      properties: {
        type: { description: `The driver: ${driver.label}.`, const: driver.name },
        ...properties,
        config: nullable({ description: `Options of ${driver.label}.`, ...editorSchema(exported(driver.schema)) }),
      },
      ...(driver.name === DEFAULT_DRIVER ? {} : { required: ['type'] }),
    };
  });
  const { properties = {}, ...rest } = editorSchema(block) as JsonSchema & { properties?: JsonSchema };
  const open = { ...rest, properties: { type: EXPRESSION, ...properties, config: {} }, required: ['type'] };
  return { description: `The ${type} plugin.`, oneOf: [...branches, { title: 'driver by ${…}', ...open }] };
}

function exported(schema: Joi.Schema): JsonSchema {
  return schema['~standard'].jsonSchema.input({ target: 'draft-2020-12' }) as JsonSchema;
}
