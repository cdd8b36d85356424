import type { LazyModuleLoader } from '@nestjs/core';
import type { Type } from '@nestjs/common';
import { withDeadline } from './deadline.js';
import type { DriverDescriptor, DriverModuleClass } from './driver.js';
import { errorMessage, HubError } from './errors.js';
import { peerError } from './peer-error.js';
import { HubPlugin } from './plugin.js';

/**
 * Loads the driver's Nest module and returns its plugin, checked to be one of the right type before anything calls it.
 * Rejects with `PEER_MISSING` or `DRIVER_INVALID`; never hangs.
 * @param token the abstract class under which the driver module exports its plugin
 * @param timeoutMs how long the module may take to load and to be built
 */
export async function loadDriver<Options extends object>(
  descriptor: DriverDescriptor<Options>,
  options: Options,
  loader: LazyModuleLoader,
  token: abstract new (...args: never[]) => HubPlugin,
  timeoutMs: number,
): Promise<HubPlugin> {
  const source = { plugin: descriptor.type, driver: descriptor.name };
  const build = async (): Promise<unknown> => {
    const module: unknown = await descriptor.load();
    if (!isDriverModule<Options>(module)) {
      throw new HubError('DRIVER_INVALID', 'load() has to resolve to a class with a static register(options).', source);
    }
    const reference = await loader.load(() => module.register(options), { logger: false });
    return reference.get<unknown>(token as unknown as Type, { strict: true });
  };
  try {
    const plugin = await withDeadline(build(), timeoutMs, () => neverSettled(descriptor, timeoutMs));
    if (!HubPlugin.isPlugin(plugin, descriptor.type)) {
      throw new HubError(
        'DRIVER_INVALID',
        `the driver's module does not provide a plugin of type ${descriptor.type}: what it exports has to extend ${token.name}.`,
        source,
      );
    }
    return plugin;
  } catch (error) {
    throw loadError(error, descriptor);
  }
}

function isDriverModule<Options>(value: unknown): value is DriverModuleClass<Options> {
  return typeof value === 'function' && 'register' in value && typeof value.register === 'function';
}

function neverSettled(descriptor: DriverDescriptor, timeoutMs: number): HubError {
  return new HubError(
    'DRIVER_INVALID',
    `the driver did not load within ${timeoutMs} ms. Either load() never settles, or a provider of the driver's module ` +
      'injects something that itself waits for this plugin (the hub, a service with the plugin token): a driver may ' +
      'inject only its options, its own providers and globals that hold no plugin.',
    { plugin: descriptor.type, driver: descriptor.name },
  );
}

function loadError(error: unknown, descriptor: DriverDescriptor): HubError {
  if (HubError.is(error)) return error;
  const source = { plugin: descriptor.type, driver: descriptor.name };
  const missing = peerError(error, descriptor.peers, source);
  return (
    missing ??
    new HubError('DRIVER_INVALID', `the driver did not load: ${errorMessage(error)}`, { ...source, cause: error })
  );
}
