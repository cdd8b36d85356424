import { describe, expect, it } from 'vitest';
import { HubError } from '../../../../core/errors.js';
import { checkForKombu, MAX_DEPTH, parseKombuJson } from './kombu-json.js';

function fault(value: unknown): string {
  try {
    checkForKombu(JSON.stringify(value), 'it', {});
    return '';
  } catch (error) {
    if (!HubError.is(error, 'PAYLOAD_INVALID')) throw error;
    return error.message;
  }
}

function nested(depth: number): unknown {
  return depth === 1 ? [] : [nested(depth - 1)];
}

describe('checkForKombu', () => {
  it.each([
    [{ __type__: 'datetime', __value__: 1 }],
    [[{ a: { __value__: null, __type__: null } }]],
    ['\uD800'],
    [{ '\uDC00x': 1 }],
    [['\uDE00\uD83D']],
    [nested(MAX_DEPTH + 1)],
  ])('refuses %#', (value) => {
    expect(fault(value)).toContain('it ');
  });

  it.each([
    [{ __type__: 1 }],
    [{ __type__: 1, __value__: 2, more: 3 }],
    ['{"__type__":1,"__value__":2}'],
    ['\u{1F600}'],
    ['\\ud800'],
    ['['.repeat(1_000)],
    [nested(MAX_DEPTH)],
  ])('takes %#', (value) => {
    expect(fault(value)).toBe('');
  });
});

describe('parseKombuJson', () => {
  it.each([
    ['[NaN,-Infinity,{"a":Infinity}]', [Number.NaN, -Infinity, { a: Infinity }]],
    ['["NaN","a \\" Infinity"]', ['NaN', 'a " Infinity']],
    ['[NaN,{"__type__":"decimal","__value__":"1.5"}]', [Number.NaN, '1.5']],
    [
      '{"__type__":"uuid","__value__":{"hex":"0123456789ABCDEF0123456789abcdef"}}',
      '01234567-89AB-CDEF-0123-456789abcdef',
    ],
    ['{"__type__":"own","__value__":1}', { __type__: 'own', __value__: 1 }],
    ['{"__type__":"date","__value__":"2026-11-28","x":1}', { __type__: 'date', __value__: '2026-11-28', x: 1 }],
  ])('%s', (text, value) => {
    expect(parseKombuJson(text)).toEqual(value);
  });

  it.each(['', '[', '[NaN', 'undefined', '[Nano]', "['a']"])('%j is no JSON', (text) => {
    expect(() => parseKombuJson(text)).toThrow(SyntaxError);
  });
});
