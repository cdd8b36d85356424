import Joi from 'joi';
import { driverTable, findDriver, type DriverDescriptor } from './driver.js';
import { collectSecrets } from './secrets.js';
import { Redactor } from './redact.js';
import { acceptSnakeCase, validateOptions } from './validate.js';

/** The block of one plugin type: the same object under `plugins.<type>` in the YAML and in `forRoot(options)`. */
export interface PluginOptions {
  /** Whether the plugin is used at all. Default true. When false, its token rejects every call with `PLUGIN_DISABLED`. */
  enabled?: boolean;
  /**
   * What happens when it cannot start. `true` (default): the application does not boot. `false`: it boots degraded and
   * the hub keeps trying.
   */
  required?: boolean;
  /** The driver's name. Default `local`. */
  type?: string;
  /** The driver's own options; see its README. */
  config?: object;
  /** Deadline of loading and building the driver, and then again of `initialize()`, in ms. Default 15 000. */
  initTimeout?: number;
}

/** {@link PluginOptions} after validation, with the driver found. */
export interface ResolvedPluginOptions {
  enabled: boolean;
  required: boolean;
  initTimeout: number;
  driver: DriverDescriptor;
  /** The driver's options, validated, with its defaults. */
  config: object;
  /** Hides the secrets among the driver's options. */
  redactor: Redactor;
}

/** The driver that is used when the configuration names none. */
export const DEFAULT_DRIVER = 'local';

/** Keys of {@link PluginOptions} beside `type` and `config`, which depend on the drivers. */
const COMMON_KEYS = {
  enabled: Joi.boolean().default(true).description('Whether the plugin is used at all.'),
  required: Joi.boolean()
    .default(true)
    .description('true: the application does not boot without it; false: it boots degraded and keeps trying.'),
  initTimeout: Joi.number()
    .integer()
    .min(1)
    .default(15_000)
    .description('Deadline of loading the driver, and then of initialize(), in ms.'),
};

/** Joi schema of the keys of a plugin block that all drivers share. */
export const pluginBlockSchema = Joi.object(COMMON_KEYS);

/** Joi schema of one plugin block, composed from the drivers of that type; snake_case keys are accepted. */
export function pluginSchema(type: string, drivers: readonly DriverDescriptor[]): Joi.ObjectSchema {
  const table = [...driverTable(type, drivers).values()];
  const names = table.map((driver) => driver.name);
  const driver = Joi.string()
    .valid(...names)
    .description('The driver.');
  return acceptSnakeCase(
    Joi.object({
      ...COMMON_KEYS,
      // A type of an application's own need not have a local driver.
      type: names.includes(DEFAULT_DRIVER) ? driver.default(DEFAULT_DRIVER) : driver.required(),
      config: Joi.when('type', {
        // An empty block in YAML (`config:`) is null.
        switch: table.map(({ name, schema }) => ({ is: name, then: schema.empty(null).default() })),
      }).description("The driver's own options."),
    }),
  );
}

/**
 * Validates one plugin block on its own, as the plugin modules do.
 * Throws `DRIVER_UNKNOWN` or `CONFIG_INVALID` with every fault in `details.issues`.
 */
export function resolvePluginOptions(
  type: string,
  drivers: readonly DriverDescriptor[],
  options: PluginOptions = {},
): ResolvedPluginOptions {
  const driver = findDriver(type, options.type ?? DEFAULT_DRIVER, drivers);
  const { enabled, required, initTimeout, config } = validateOptions<Required<PluginOptions>>(
    pluginSchema(type, drivers),
    options,
    { what: `plugins.${type}`, plugin: type, driver: driver.name },
  );
  // The object given is asked too: a configuration file's marks (`${file:…}`) are on it, not on its validated copy.
  const given = collectSecrets(driver.schema, options.config);
  const redactor = new Redactor([...given, ...collectSecrets(driver.schema, config)]);
  return { enabled, required, initTimeout, driver, config, redactor };
}
