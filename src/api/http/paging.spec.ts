import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor, pageOf } from './paging.js';

const numbers = [0, 1, 2, 3, 4];

describe('pageOf', () => {
  it('goes through everything, each item once, and says when there is no more', async () => {
    const seen: number[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await pageOf(numbers, { limit: 2, ...(cursor === undefined ? {} : { cursor }) }, 100);
      seen.push(...page.items);
      cursor = page.next ?? undefined;
      pages += 1;
    } while (cursor !== undefined);
    expect([seen, pages]).toEqual([numbers, 3]);
  });

  it('a page that is just full and the last one has no next', async () => {
    expect(await pageOf(numbers, { limit: 5 }, 100)).toEqual({ items: numbers, next: null });
    expect(await pageOf([], { limit: 5 }, 100)).toEqual({ items: [], next: null });
  });

  it('the server may have a lower limit', async () => {
    expect((await pageOf(numbers, { limit: 5 }, 3)).items).toEqual([0, 1, 2]);
  });

  it('does not read further than it has to', async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<number> {
      for (;;) yield await Promise.resolve(read++);
    }
    await pageOf(endless(), { limit: 3 }, 100);
    expect(read).toBe(4);
  });
});

describe('cursors', () => {
  it('come back as they were', () => {
    expect(decodeCursor(encodeCursor([5, 'run']), ['number', 'string'])).toEqual([5, 'run']);
  });

  it.each([
    '',
    'x',
    'bnVsbA',
    encodeCursor(['run', 5]),
    encodeCursor([5]),
    encodeCursor([-1, 'a']),
    encodeCursor([1.5, 'a']),
  ])('refuses %j', (cursor) => {
    expect(() => decodeCursor(cursor, ['number', 'string'])).toThrow('cursor');
  });
});
