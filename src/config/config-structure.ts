import type { ConfigIssue, ConfigPath } from '../core/validate.js';

/** Deepest nesting of a configuration. */
const MAX_DEPTH = 64;

/**
 * Faults of a value's structure, which a schema cannot see: cycles (a YAML anchor that holds its own alias), nesting
 * past 64 levels, and keys called `__proto__`, which would change an object instead of its contents.
 * @internal
 */
export function findStructureIssues(value: unknown): (ConfigIssue & { at: ConfigPath })[] {
  const issues: (ConfigIssue & { at: ConfigPath })[] = [];
  const open = new Set<object>();
  const done = new Set<object>();
  const report = (at: ConfigPath, message: string): void => {
    issues.push({ path: '', at, message });
  };
  const check = (item: unknown, at: ConfigPath): void => {
    if (typeof item !== 'object' || item === null || done.has(item)) return;
    if (open.has(item)) return report(at, 'refers back to a block that holds it; a configuration cannot be cyclic.');
    if (at.length > MAX_DEPTH) return report(at.slice(0, 3), `is nested more than ${MAX_DEPTH} levels deep.`);
    // What is not plain (a client, a class instance given in code) is the driver's own affair.
    const prototype: unknown = Object.getPrototypeOf(item);
    if (!Array.isArray(item) && prototype !== Object.prototype && prototype !== null) return;
    open.add(item);
    for (const [key, child] of Object.entries(item)) {
      const place = [...at, Array.isArray(item) ? Number(key) : key];
      if (key === '__proto__') report(place, 'is a key that no configuration may have.');
      else check(child, place);
    }
    open.delete(item);
    done.add(item);
  };
  check(value, []);
  return issues;
}
