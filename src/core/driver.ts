import type { DynamicModule } from '@nestjs/common';
import Joi, { type ObjectSchema } from 'joi';
import { HubError } from './errors.js';

/** The Nest module of a driver: builds the plugin from validated options and exports it under its type's token. */
export interface DriverModuleClass<Options> {
  // Nest module classes take any constructor arguments.
  new (...args: never[]): object;
  /** @param options validated against the descriptor's schema, defaults filled in */
  register(options: Options): DynamicModule;
}

/**
 * What the hub knows of a driver before loading it. A descriptor imports no SDK, so listing a driver costs nothing;
 * only the one that the configuration picks is loaded.
 */
export interface DriverDescriptor<Options extends object = object> {
  /** Plugin type that the driver implements, e.g. `mlops`. */
  readonly type: string;
  /** The value of `type` in the configuration: lower case letters, digits and dashes. */
  readonly name: string;
  /** The driver's name for people, e.g. `RabbitMQ`. */
  readonly label: string;
  /** npm packages that `load()` needs, as they would be given to `npm install`. */
  readonly peers: readonly string[];
  /**
   * Joi schema of the `config` block, made with the `Joi` that this package exports: Joi refuses schemas of another
   * version. Mark secrets with `.meta({ secret: true })`.
   */
  readonly schema: ObjectSchema<Options>;
  /** Imports the driver's Nest module. */
  load(): Promise<DriverModuleClass<Options>>;
}

/** Declares a driver; checks names and schema at once. Throws `INVALID_ARGUMENT`. */
export function defineDriver<Options extends object>(descriptor: DriverDescriptor<Options>): DriverDescriptor<Options> {
  for (const key of ['type', 'name'] as const) {
    if (/^[a-z][a-z0-9-]*$/.test(descriptor[key])) continue;
    throw new HubError(
      'INVALID_ARGUMENT',
      `a driver's ${key} has to be lower case letters, digits and dashes, not ${JSON.stringify(descriptor[key])}.`,
    );
  }
  checkSchema(descriptor);
  return descriptor;
}

/** Throws `INVALID_ARGUMENT` unless the hub's own Joi can work with the driver's schema. */
function checkSchema({ type, name, schema }: DriverDescriptor): void {
  try {
    // Throws for a schema of another version of Joi.
    if (Joi.isSchema(schema)) return;
  } catch {
    // Answered below.
  }
  throw new HubError(
    'INVALID_ARGUMENT',
    `the schema of driver ${type}/${name} is no Joi schema, or was made with another copy or version of joi; import ` +
      'Joi from nestjs-experiment-hub.',
    { plugin: type, driver: name },
  );
}

/**
 * The drivers of one plugin type by name: the built-in ones and those given by the application.
 * Throws `ALREADY_EXISTS` when two carry the same (type, name), `INVALID_ARGUMENT` for a schema that is not of the hub's
 * Joi.
 */
export function driverTable(type: string, drivers: readonly DriverDescriptor[]): Map<string, DriverDescriptor> {
  const table = new Map<string, DriverDescriptor>();
  for (const driver of new Set(drivers)) {
    if (driver.type !== type) continue;
    if (table.has(driver.name)) {
      throw new HubError(
        'ALREADY_EXISTS',
        `two drivers are called ${type}/${driver.name}. Give yours another name in its descriptor.`,
        { plugin: type, driver: driver.name },
      );
    }
    // Again: a descriptor may be a plain object, or declared with another copy of the package.
    checkSchema(driver);
    table.set(driver.name, driver);
  }
  return table;
}

/** The driver called `name`, or `DRIVER_UNKNOWN` naming those that exist. */
export function findDriver(type: string, name: string, drivers: readonly DriverDescriptor[]): DriverDescriptor {
  const table = driverTable(type, drivers);
  const driver = table.get(name);
  if (driver !== undefined) return driver;
  const known = [...table.keys()].join(', ');
  throw new HubError(
    'DRIVER_UNKNOWN',
    `no driver ${JSON.stringify(name)} for plugin type ${type}. Known: ${known}. ` +
      'Pass a driver of your own as drivers: [myDriver] to forRoot or forRootAsync.',
    { plugin: type, details: { name, known: [...table.keys()] } },
  );
}
