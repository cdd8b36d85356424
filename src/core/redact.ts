/** What stands in place of a secret. */
export const REDACTED = '[redacted]';

// scheme://user:password@host, the shape in which AMQP, Redis, PostgreSQL and MLflow URLs carry credentials.
// Greedy up to the last `@` of the authority: a raw `@` inside a password must not leave its tail behind.
const URL_CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/'"]*@/gi;

/** Removes user and password from every URL in `text`; host and path stay. */
export function redactUrls(text: string): string {
  return text.replace(URL_CREDENTIALS, `$1${REDACTED}@`);
}

/** Removes known secret values (and credentials in URLs) from texts, errors and JSON values. */
export class Redactor {
  readonly #secrets: string[];

  /** @param secrets the values to hide; empty strings are ignored. */
  constructor(secrets: Iterable<string> = []) {
    // Longest first: a secret that contains another one has to go as a whole.
    this.#secrets = [...new Set(secrets)].filter((secret) => secret !== '').sort((a, b) => b.length - a.length);
  }

  /** `value` without secrets. */
  text(value: string): string {
    return redactUrls(this.#secrets.reduce((text, secret) => text.replaceAll(secret, REDACTED), value));
  }

  /** A copy of a JSON-like value whose strings and keys hold no secret. */
  value<T>(value: T): T {
    return mapStrings(value, (text) => this.text(text)) as T;
  }

  /** A copy of an error, its stack and its `cause` chain without secrets. Other values are returned redacted. */
  error(error: unknown): unknown {
    return redactError(error, (text) => this.text(text));
  }
}

/**
 * A copy of `error` whose message, stack, own string properties and `cause` chain went through `redact`; the prototype
 * is kept so that `instanceof` still holds.
 */
export function redactError(error: unknown, redact: (text: string) => string = redactUrls, depth = 0): unknown {
  if (!(error instanceof Error)) return mapStrings(error, redact);
  const copy = Object.create(Object.getPrototypeOf(error) as object) as Error;
  for (const key of Object.getOwnPropertyNames(error)) {
    if (key === 'cause') continue;
    const descriptor = Object.getOwnPropertyDescriptor(error, key);
    if (descriptor === undefined || !('value' in descriptor)) continue;
    Object.defineProperty(copy, key, { ...descriptor, value: mapStrings(descriptor.value, redact) });
  }
  for (const key of Object.getOwnPropertySymbols(error)) {
    const descriptor = Object.getOwnPropertyDescriptor(error, key);
    if (descriptor !== undefined) Object.defineProperty(copy, key, descriptor);
  }
  // On some engines `stack` is an accessor, which the loop above leaves out.
  Object.defineProperty(copy, 'stack', { value: redact(error.stack ?? ''), configurable: true, writable: true });
  if (error.cause !== undefined && depth < 10) {
    const cause = redactError(error.cause, redact, depth + 1);
    Object.defineProperty(copy, 'cause', { value: cause, configurable: true, writable: true });
  }
  return copy;
}

function mapStrings(value: unknown, map: (text: string) => string, depth = 0): unknown {
  if (typeof value === 'string') return map(value);
  if (depth > 20 || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, map, depth + 1));
  if (Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [map(key), mapStrings(item, map, depth + 1)]));
}
