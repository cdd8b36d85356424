import { MetadataScanner, Reflector, type DiscoveryService } from '@nestjs/core';
import { HubError } from './errors.js';

/** A decorator whose methods a plugin runs. */
export interface MethodDecoratorSource {
  /** Plugin type, e.g. `taskqueue`. */
  plugin: string;
  /** The decorator as it is written, e.g. `@Task`. */
  operation: string;
}

/** A decorated method of a provider or controller. */
export interface DecoratedMethod<Metadata> {
  /** What the decorator noted. */
  metadata: Metadata;
  /** `Class.method`. */
  label: string;
  /** The method, bound to its instance. */
  call: (...args: unknown[]) => unknown;
}

/**
 * The methods of all providers and controllers that carry metadata under `key`; an instance behind several tokens counts
 * once. Throws `INVALID_ARGUMENT` for a class that is not a singleton: no request comes with what the plugin brings.
 */
export function decoratedMethods<Metadata>(
  discovery: DiscoveryService,
  key: string,
  source: MethodDecoratorSource,
): DecoratedMethod<Metadata>[] {
  const scanner = new MetadataScanner();
  const reflector = new Reflector();
  const found: DecoratedMethod<Metadata>[] = [];
  const seen = new Set<object>();
  for (const wrapper of [...discovery.getProviders(), ...discovery.getControllers()]) {
    const instance: unknown = wrapper.instance;
    if (typeof instance !== 'object' || instance === null || seen.has(instance)) continue;
    seen.add(instance);
    const prototype: unknown = Object.getPrototypeOf(instance);
    if (typeof prototype !== 'object' || prototype === null) continue;
    for (const name of scanner.getAllMethodNames(prototype)) {
      const method: unknown = Reflect.get(prototype, name);
      if (typeof method !== 'function') continue;
      const metadata = reflector.get<Metadata | undefined>(key, method as () => unknown);
      if (metadata === undefined) continue;
      const label = `${prototype.constructor.name}.${name}`;
      // Nest calls a transient class static as well, but this instance is one that nobody was given.
      if (!wrapper.isDependencyTreeStatic() || wrapper.isTransient) throw notSingleton(label, source);
      found.push({ metadata, label, call: method.bind(instance) as DecoratedMethod<Metadata>['call'] });
    }
  }
  return found;
}

function notSingleton(label: string, source: MethodDecoratorSource): HubError {
  return new HubError(
    'INVALID_ARGUMENT',
    `${source.operation} on ${label}: its class (or something that it injects) is request-scoped or transient, and there ` +
      'is no request when the plugin calls it. Put the method into a provider of the default scope.',
    { ...source, details: { method: label } },
  );
}
