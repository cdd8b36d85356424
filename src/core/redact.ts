/** What stands in place of a secret. */
export const REDACTED = '[redacted]';

/** What stands in place of an object that cannot be read. */
const UNREADABLE = '[unreadable]';

/** Most levels that a redacted copy has; what lies deeper is left out. */
const MAX_DEPTH = 20;
/** Most objects of one copy: a client's error may hold its whole connection. */
const MAX_OBJECTS = 2_000;

// scheme://user:password@host, the shape in which AMQP, Redis, PostgreSQL and MLflow URLs carry credentials.
// Greedy up to the last `@` of the authority: a raw `@` inside a password must not leave its tail behind.
// The lookbehind keeps it linear on long runs of letters.
const URL_CREDENTIALS = /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]*:\/\/)[^\s/'"]*@/gi;

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
    return redactValue(value, (text) => this.text(text)) as T;
  }

  /** A copy of an error, its stack and its `cause` chain without secrets. Other values are returned redacted. */
  error(error: unknown): unknown {
    return redactError(error, (text) => this.text(text));
  }
}

/**
 * A copy of `error` whose message, stack, own properties and `cause` chain went through `redact`; the prototype is kept
 * so that `instanceof` still holds. What such a property holds that is no plain data (a connection, a function) is
 * copied as data or named only, since it may keep a secret where nobody sees it.
 */
export function redactError(error: unknown, redact: (text: string) => string = redactUrls): unknown {
  return redactValue(error, redact);
}

function redactValue(given: unknown, redact: (text: string) => string): unknown {
  const copies = new Map<object, unknown>();
  const open = new Set<object>();

  const copyOf = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string') return redact(value);
    if (typeof value === 'function') return redact(`[function ${String(value.name)}]`);
    if (typeof value === 'symbol') return redact(String(value));
    // As a whole only: a secret of one digit would otherwise make every count a text.
    if (typeof value === 'number') return redact(String(value)) === REDACTED ? REDACTED : value;
    if (typeof value !== 'object' || value === null) return value;
    // Not as the cycle that it is: the copy of an error can always be written as JSON.
    if (open.has(value)) return '[circular]';
    if (copies.has(value)) return copies.get(value);
    if (depth > MAX_DEPTH || copies.size >= MAX_OBJECTS) return '[…]';
    open.add(value);
    try {
      return fill(value, depth + 1);
    } catch {
      // Its own code threw: a getter, a toString, a proxy. An error about an error would hide both.
      return UNREADABLE;
    } finally {
      open.delete(value);
    }
  };

  const fill = (value: object, depth: number): unknown => {
    const note = <T>(copy: T): T => {
      copies.set(value, copy);
      return copy;
    };
    if (Array.isArray(value)) {
      const list = note<unknown[]>([]);
      for (const item of value as unknown[]) list.push(copyOf(item, depth));
      return list;
    }
    if (value instanceof Map) {
      const map = note(new Map<unknown, unknown>());
      for (const [key, item] of value) map.set(copyOf(key, depth), copyOf(item, depth));
      return map;
    }
    if (value instanceof Set) {
      const set = note(new Set<unknown>());
      for (const item of value) set.add(copyOf(item, depth));
      return set;
    }
    if (value instanceof Date || value instanceof RegExp) return note(value instanceof Date ? value : text(value));
    if (value instanceof URL || value instanceof URLSearchParams) return note(text(value));
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return note(`[${value.constructor.name}]`);
    // Of an error the class matters to those who catch it. Other instances become plain data: their methods would miss
    // the private state that no copy has.
    const copy = note(Object.create(value instanceof Error ? prototypeOf(value) : Object.prototype) as object);
    copyProperties(value, copy, depth);
    return copy;
  };

  const text = (value: object): string => redact(String(value));

  const copyProperties = (value: object, copy: object, depth: number): void => {
    for (const key of Reflect.ownKeys(value)) {
      const descriptor = Object.getOwnPropertyDescriptor(value, key);
      // An accessor is code that would run on the original.
      if (descriptor === undefined || !('value' in descriptor)) continue;
      const name = typeof key === 'string' ? redact(key) : key;
      // Redacted copies are redacted again on their way up.
      const flags = { configurable: true, writable: true, enumerable: descriptor.enumerable ?? false };
      Object.defineProperty(copy, name, { ...flags, value: copyOf(descriptor.value, depth) });
    }
    if (!(value instanceof Error)) return;
    // On some engines `stack` is an accessor, which the loop above leaves out.
    const stack = redact(stackOf(value));
    Object.defineProperty(copy, 'stack', { value: stack, configurable: true, writable: true });
  };

  return copyOf(given, 0);
}

function stackOf(error: Error): string {
  try {
    return String(error.stack);
  } catch {
    return UNREADABLE;
  }
}

function prototypeOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null;
}
