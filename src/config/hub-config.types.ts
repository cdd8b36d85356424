import type Joi from 'joi';
import type { DriverDescriptor } from '../core/driver.js';
import type { HubLogLevel } from '../core/hub-logger.js';
import type { PluginOptions } from '../core/plugin-options.js';

/** The `global` block, with its defaults. */
export interface HubGlobalConfig {
  /** The least severe level that is logged. Default `log`. */
  logLevel: HubLogLevel;
  /** Name of the deployment, e.g. `production`. Default `development`. For the application's use: the hub does not read it. */
  environment: string;
  /** How long drain and close may take together at shutdown, in ms. Default 25 000. */
  shutdownTimeout: number;
  /** Folder for the files of models that experiments hand to tasks. Default `.experiment-hub/work`. */
  workDir: string;
}

/** One plugin's block, with its defaults; `config` holds the driver's options, validated. */
export interface HubPluginConfig extends Required<PluginOptions> {
  /** The driver's options with its defaults. */
  config: object;
}

/**
 * A validated configuration: camelCase keys, every default filled in.
 * @typeParam Experiment one entry of `experiments`, as its schema leaves it
 */
export interface HubConfig<Experiment = unknown> {
  /** Version of the file's format. Default `1`. */
  version: string;
  global: HubGlobalConfig;
  /** By plugin type. Every type with a `local` driver is there, also when the file does not name it. */
  plugins: Record<string, HubPluginConfig>;
  experiments: Experiment[];
}

/** A configuration as an application gives it: the same object as the YAML, every key optional. */
export interface HubOptions {
  version?: string | number;
  global?: Partial<Omit<HubGlobalConfig, 'logLevel'>> & { logLevel?: string };
  plugins?: Record<string, PluginOptions>;
  experiments?: readonly unknown[];
}

/** What a configuration is validated against. */
export interface HubConfigSchemas {
  /** Every driver that may be picked. Their types are the keys that `plugins` may have. */
  drivers: readonly DriverDescriptor[];
  /** Joi schema of the `experiments` list. */
  experimentsSchema: Joi.Schema;
}

/** Where a configuration text comes from. */
export interface ParseHubConfigOptions extends HubConfigSchemas {
  /** Variables for `${…}`. Default `process.env`. */
  env?: Readonly<Record<string, string | undefined>>;
  /** The file's name in error messages. Default: none. */
  file?: string;
}

/** Where the configuration is. */
export interface LoadHubConfigOptions extends HubConfigSchemas {
  /**
   * The file, relative to the working directory. Default: `HUB_CONFIG_PATH`, or else `config/hub_config.yaml`. Only
   * that last one may be missing, which gives the defaults: everything local.
   */
  path?: string;
  /** Variables for `HUB_CONFIG_PATH` and `${…}`. Default `process.env`. */
  env?: Readonly<Record<string, string | undefined>>;
}
