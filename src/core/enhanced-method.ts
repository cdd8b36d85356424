import {
  CUSTOM_ROUTE_ARGS_METADATA,
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  ROUTE_ARGS_METADATA,
} from '@nestjs/common/constants.js';
import type { DiscoveryService, ExternalContextCreator } from '@nestjs/core';
import { HubError, type HubErrorOptions } from './errors.js';

type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** Where a plugin calls a method of the application, for Nest's guards, pipes, interceptors and exception filters. */
export interface MethodContext {
  creator: ExternalContextCreator;
  /** What `ExecutionContext.getType()` answers, e.g. `datastream`. */
  type: string;
}

/** A method of a provider or controller. */
export interface HostedMethod {
  instance: object;
  name: string;
  method: (...args: unknown[]) => unknown;
  /** The module that holds the instance. */
  module: InstanceWrapper['host'];
  /** `Class.method`. */
  label: string;
}

/** What is read of Nest's container: it offers no public way to ask for the global enhancers. */
interface Internals {
  container?: {
    applicationConfig?: {
      getGlobalGuards(): readonly unknown[];
      getGlobalInterceptors(): readonly unknown[];
      getGlobalFilters(): readonly unknown[];
    };
  };
}

/**
 * The method bound to its instance, with the guards, interceptors, exception filters and parameter decorators (and their
 * pipes) of method, class and application around it. Without any it is the bound method itself, which costs nothing.
 * Throws `INVALID_ARGUMENT` for parameter decorators that were not made with `createParamDecorator`, and for classes of
 * enhancers that Nest cannot resolve there and would leave out.
 */
export function enhancedMethod(
  host: HostedMethod,
  context: MethodContext,
  source: HubErrorOptions,
): HostedMethod['method'] {
  const { instance, name, method } = host;
  const { creator, type } = context;
  const config = (creator as unknown as Internals).container?.applicationConfig;
  const has = (key: string, global: readonly unknown[] | undefined): boolean =>
    // A Nest that does not say whether there are global ones is taken to have some.
    hasLocal(host, key, source) || global?.length !== 0;
  const options = {
    guards: has(GUARDS_METADATA, config?.getGlobalGuards()),
    interceptors: has(INTERCEPTORS_METADATA, config?.getGlobalInterceptors()),
    // Without filters Nest's own handler would still log each error: the plugin does that, with secrets removed.
    filters: has(EXCEPTION_FILTERS_METADATA, config?.getGlobalFilters()),
  };
  const params = hasParams(host, source);
  if (!params && !Object.values(options).includes(true)) return method.bind(instance);
  return withModule(creator, host.module).create(
    instance as Record<string, unknown>,
    method,
    name,
    ROUTE_ARGS_METADATA,
    // Nest takes what createParamDecorator made by itself, and asks this only for other decorators.
    params ? { exchangeKeyForValue: () => undefined } : undefined,
    undefined,
    undefined,
    options,
    type,
  );
}

/** Whether method or class have enhancers of that kind. */
function hasLocal({ instance, method, module, label }: HostedMethod, key: string, source: HubErrorOptions): boolean {
  const enhancers = [method, instance.constructor].flatMap((target): unknown[] => {
    const metadata: unknown = Reflect.getMetadata(key, target);
    return Array.isArray(metadata) ? metadata : [];
  });
  const lost = enhancers.find((one) => typeof one === 'function' && module?.injectables.has(one) !== true);
  if (typeof lost !== 'function') return enhancers.length > 0;
  throw new HubError(
    'INVALID_ARGUMENT',
    `${source.operation} on ${label}: Nest would leave ${lost.name} out, because it looks for enhancers only in classes that ` +
      'it makes itself. List the class of the method among the providers or controllers, or give an instance: ' +
      `new ${lost.name}(…).`,
    { ...source, details: { method: label } },
  );
}

/** Whether parameters of the method have decorators. */
function hasParams({ instance, name, label }: HostedMethod, source: HubErrorOptions): boolean {
  const metadata: unknown = Reflect.getMetadata(ROUTE_ARGS_METADATA, instance.constructor, name);
  if (typeof metadata !== 'object' || metadata === null) return false;
  const keys = Object.keys(metadata);
  if (keys.every((key) => key.includes(CUSTOM_ROUTE_ARGS_METADATA))) return keys.length > 0;
  throw new HubError(
    'INVALID_ARGUMENT',
    `${source.operation} on ${label}: its parameters have decorators of HTTP or microservices (such as @Body or @Payload), ` +
      'which there is nothing for here. Use decorators made with createParamDecorator, or none.',
    { ...source, details: { method: label } },
  );
}

/** The creator, which finds the classes of enhancers also for a controller: Nest looks through providers only. */
function withModule(creator: ExternalContextCreator, module: HostedMethod['module']): ExternalContextCreator {
  const getContextModuleKey: ExternalContextCreator['getContextModuleKey'] = (classRef) =>
    module?.token ?? creator.getContextModuleKey(classRef);
  return Object.assign(Object.create(creator) as ExternalContextCreator, { getContextModuleKey });
}
