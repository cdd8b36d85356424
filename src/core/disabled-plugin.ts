import { HubError } from './errors.js';
import { HubPlugin, type PluginHealth } from './plugin.js';

// Nest and await probe these on every provider; a function there would be called or awaited.
const PROBED = new Set([
  'then',
  'onModuleInit',
  'onModuleDestroy',
  'onApplicationBootstrap',
  'onApplicationShutdown',
  'beforeApplicationShutdown',
]);

/**
 * What a plugin token injects when its type is switched off: every method rejects (and every async iterator rejects on
 * its first `next()`) with `PLUGIN_DISABLED`, naming the configuration key. Life and health calls do nothing.
 */
export function disabledPlugin<Plugin extends HubPlugin>(
  pluginType: string,
  token: abstract new (...args: never[]) => Plugin,
): Plugin {
  const real = {
    pluginType,
    driver: 'disabled',
    supports: Object.freeze({}),
    phase: 'closed',
    initialize: async () => undefined,
    drain: async () => undefined,
    shutdown: async () => undefined,
    healthCheck: async (): Promise<PluginHealth> => ({ healthy: true, details: { driver: 'disabled' } }),
  };
  // The prototype of the token keeps `instanceof` and `constructor` true.
  return new Proxy(Object.create(token.prototype as object) as Plugin, {
    get(target, key) {
      if (typeof key === 'symbol' || PROBED.has(key)) return undefined;
      if (Object.hasOwn(real, key)) return real[key as keyof typeof real];
      if (key === 'constructor') return Reflect.get(target, key) as unknown;
      return () => rejecting(pluginType, key);
    },
  });
}

/** A promise and an async iterator in one: whichever way the caller uses it, it rejects. */
function rejecting(plugin: string, operation: string): Promise<never> & AsyncIterable<never> {
  const fail = (): Promise<never> =>
    Promise.reject(
      new HubError(
        'PLUGIN_DISABLED',
        `the plugin is switched off: set plugins.${plugin}.enabled to true in the configuration.`,
        { plugin, operation },
      ),
    );
  const promise = fail();
  // A caller that iterates never awaits the promise itself; unhandled, it would end the process.
  promise.catch(() => undefined);
  return Object.assign(promise, {
    [Symbol.asyncIterator]: () => ({ next: fail }),
  });
}
