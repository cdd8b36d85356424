import { HubError, type HubErrorCode } from '../../src/core/errors.js';
import type { HubPlugin } from '../../src/core/plugin.js';

/** What a mutant may know of the plugin that it spoils. */
export interface MutantPlace {
  /** Folder of the plugin's store, or `:memory:`. */
  dataDir: string;
}

/** A driver with one fault on purpose, made of a real one. */
export interface Mutant<Plugin extends HubPlugin> {
  /** What it does wrong, in words that follow "a driver that …". */
  name: string;
  /** Spoils one fresh plugin object before it opens; called again for the one that a restart opens. */
  mutate(plugin: Plugin, place: MutantPlace): void;
  /** Name of the contract test that has to fail. */
  caughtBy: RegExp;
  /** Keeps its data on disk, for faults that a restart shows. Default false: in memory. */
  onDisk?: boolean;
  /** What it spoils never comes, and the test waits for it longer than the runner does. Default false. */
  hangs?: boolean;
}

/** Names of the methods of `T`. */
export type MethodOf<T> = { [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T];

/** Replaces a method of one object by what `make` builds around the original, which comes bound to the object. */
export function replace<T extends object, K extends MethodOf<T>>(
  object: T,
  method: K,
  make: (original: T[K]) => T[K],
): void {
  const original = object[method] as (...args: never[]) => unknown;
  Object.defineProperty(object, method, { value: make(original.bind(object) as T[K]), configurable: true });
}

/** Gives a property of one object another value, read-only ones included. */
export function pretend<T extends object, K extends keyof T>(object: T, property: K, value: () => T[K]): void {
  Object.defineProperty(object, property, { get: value, configurable: true });
}

/** Takes errors of one code for a success; the others go on. */
export function forgive(code: HubErrorCode): (error: unknown) => void {
  return (error) => {
    if (!HubError.is(error, code)) throw error;
  };
}
