import { MetadataScanner, Reflector, type DiscoveryService } from '@nestjs/core';
import { enhancedMethod, type MethodContext } from './enhanced-method.js';
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
  /** The method, bound to its instance, with the enhancers that a {@link MethodContext} brings. */
  call: (...args: unknown[]) => unknown;
}

/**
 * The methods of all providers and controllers that carry metadata under `key`; an instance behind several tokens counts
 * once. Throws `INVALID_ARGUMENT` for a class that is not a singleton: no request comes with what the plugin brings.
 * @param context runs guards, interceptors and so on around the methods. Default: they are called as they are.
 */
export function decoratedMethods<Metadata>(
  discovery: DiscoveryService,
  key: string,
  source: MethodDecoratorSource,
  context?: MethodContext,
): DecoratedMethod<Metadata>[] {
  const scanner = new MetadataScanner();
  const reflector = new Reflector();
  const found: DecoratedMethod<Metadata>[] = [];
  const seen = new Set<object>();
  // Classes first: a factory or alias may give the instance of a class that another module holds.
  const wrappers = [...discovery.getProviders(), ...discovery.getControllers()].toSorted(
    (a, b) => Number(a.isNotMetatype) - Number(b.isNotMetatype),
  );
  for (const wrapper of wrappers) {
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
      const host = { instance, name, method: method as DecoratedMethod<Metadata>['call'], module: wrapper.host, label };
      const call = context === undefined ? host.method.bind(instance) : enhancedMethod(host, context, source);
      found.push({ metadata, label, call });
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
