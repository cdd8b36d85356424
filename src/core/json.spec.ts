import { describe, expect, it } from 'vitest';
import { HubError } from './errors.js';
import { toJson } from './json.js';

describe('toJson', () => {
  it('gives what JSON.stringify gives for values that JSON can carry', () => {
    const shared = { x: 1 };
    const value = { a: [1, 'ü', null, true, { b: [] }], left: undefined, at: new Date(0), again: [shared, shared] };
    expect(toJson(value, 'value')).toBe(JSON.stringify(value));
    expect(toJson(Object.assign(Object.create(null) as object, { a: 1 }), 'value')).toBe('{"a":1}');
    expect(toJson(null, 'value')).toBe('null');
  });

  it('refuses what throws when it is read, and what is nested too deeply', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) deep = [deep];
    const getter = {
      get a(): never {
        throw new Error('lost');
      },
    };
    for (const [value, words] of [
      [getter, 'value cannot be read: lost'],
      [deep, 'value cannot be read: Maximum call stack'],
    ] as const) {
      expect(() => toJson(value, 'value')).toThrow(words);
      expect(() => toJson(value, 'value')).toThrow(HubError);
    }
  });

  const cycle: Record<string, unknown> = {};
  cycle['self'] = [cycle];
  it.each<[string, unknown, string]>([
    ['undefined itself', undefined, 'undefined at $'],
    ['undefined in a list', [1, undefined], 'undefined at $[1]'],
    ['a function', { a: { f: () => 1 } }, 'a function at $.a.f'],
    ['a symbol', { s: Symbol('x') }, 'a symbol at $.s'],
    ['a bigint', [1n], 'a bigint at $[0]'],
    ['NaN', { n: NaN }, 'NaN at $.n'],
    ['an infinity', { n: -Infinity }, '-Infinity at $.n'],
    ['a cycle', cycle, 'a cycle at $.self[0]'],
    ['a map', { m: new Map() }, 'a Map at $.m'],
    ['a set', new Set(), 'a Set at $'],
    ['a buffer', { b: Buffer.from('x') }, 'a Buffer at $.b'],
    ['an instance', { e: new Error('x') }, 'a Error at $.e'],
    ['what toJSON returns', { toJSON: () => NaN }, 'NaN at $'],
    [
      'a toJSON that returns itself',
      {
        toJSON() {
          return this;
        },
      },
      'a cycle at $',
    ],
  ])('refuses %s, naming the place', (_name, value, expected) => {
    let caught: unknown;
    try {
      toJson(value, 'result of task "t"', { plugin: 'taskqueue', driver: 'local' });
    } catch (error) {
      caught = error;
    }
    expect(HubError.is(caught, 'PAYLOAD_INVALID')).toBe(true);
    expect((caught as HubError).message).toBe(
      `[taskqueue/local] result of task "t" holds ${expected}, which JSON cannot carry.`,
    );
  });
});
