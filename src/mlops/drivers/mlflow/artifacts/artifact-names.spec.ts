import { resolve, sep } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HubError } from '../../../../core/errors.js';
import { checkListedName, checkLocalName, checkServerPath, encodeSegments } from './artifact-names.js';

const codeOf = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return HubError.is(error) ? error.code : String(error);
  }
};

const hostileName = fc.oneof(
  fc.string({ unit: fc.constantFrom('.', '/', '\\', ':', '\0', '．', '‥', '․', 'a', ' ', '%2e', '~') }),
  fc.string({ unit: 'binary' }),
);

describe('names of artifacts', () => {
  it('the server may keep what it takes for nothing else', () => {
    for (const path of [
      'a b/ü/%/?x/+:;x',
      '100%',
      'a?b',
      'x;y',
      'Model:v1',
      'e\u0301',
      '💾',
      'a%zz',
      '.hidden',
      '..a',
    ]) {
      expect(checkServerPath(['1', 'run'], path), path).toEqual(path.split('/'));
    }
    for (const path of [
      'a#b',
      'p%41',
      'q?',
      'a/s;',
      's;?x',
      '\ud800',
      'a\u007f',
      '%2e%2e/x',
      '../x',
      '/x',
      'a//b',
      '',
    ]) {
      expect(
        codeOf(() => checkServerPath(['1', 'run'], path)),
        path,
      ).toBe('INVALID_ARGUMENT');
    }
    expect(checkServerPath(['1'], '', true)).toEqual([]);
    // Without something in front, the server takes these for URIs or trims them.
    for (const path of ['Model:v1', 'file:x', ' x']) {
      expect(
        codeOf(() => checkServerPath([], path)),
        path,
      ).toBe('INVALID_ARGUMENT');
    }
  });

  it('an encoded path comes back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (path) => {
        let segments: string[];
        try {
          segments = checkServerPath(['1'], path);
        } catch (error) {
          expect(HubError.is(error, 'INVALID_ARGUMENT')).toBe(true);
          return;
        }
        const url = new URL(`http://host/base/${encodeSegments(segments)}`);
        expect([url.search, url.hash]).toEqual(['', '']);
        expect(url.pathname.split('/').slice(2).map(decodeURIComponent)).toEqual(segments);
      }),
      { numRuns: 1_000 },
    );
  });

  it('a listed name is one name in its folder', () => {
    for (const name of ['a', '.hidden', 'a b', '...', 'a\\b', 'ü']) expect(checkListedName(name, 'f')).toBe(name);
    for (const name of ['', '.', '..', '../x', '/etc/passwd', 'a/b', '．．', '‥', '․․', undefined, 3]) {
      expect(
        codeOf(() => checkListedName(name, 'f')),
        String(name),
      ).toBe('UNSUPPORTED');
    }
  });

  it('no listed path leaves the folder that it is kept in', () => {
    fc.assert(
      fc.property(fc.array(hostileName, { minLength: 1, maxLength: 4 }), (names) => {
        const path = names.join('/');
        if (codeOf(() => checkLocalName(path)) === undefined) {
          expect(resolve('/target', ...checkLocalName(path))).toBe(['/target', ...path.split('/')].join(sep));
        } else {
          expect(codeOf(() => checkLocalName(path))).toBe('UNSUPPORTED');
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('Windows keeps fewer names', () => {
    for (const name of ['a:b', 'a?', 'x. ', 'x.', 'a*', 'a"']) {
      expect(
        codeOf(() => checkLocalName(`f/${name}`, 'win32')),
        name,
      ).toBe('UNSUPPORTED');
      expect(checkLocalName(`f/${name}`, 'linux')).toEqual(['f', name]);
    }
  });
});
