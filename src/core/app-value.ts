/** Finds a provider of the application, wherever it is: `get(ConfigService)`. */
export type GetProvider = <T>(token: (abstract new (...args: never[]) => T) | string | symbol) => T;

/**
 * A value of a decorator, or how to find it once the application is there. Decorators are read before there is any
 * provider: `@OnData((get) => get(ConfigService).getOrThrow('ORDERS_QUEUE'))`.
 */
export type AppValue<T extends string | object> = T | ((get: GetProvider) => T);

/** The value itself. Throws what the function throws. */
export function resolveAppValue<T extends string | object>(value: AppValue<T>, get: GetProvider): T {
  return typeof value === 'function' ? (value as (get: GetProvider) => T)(get) : value;
}
