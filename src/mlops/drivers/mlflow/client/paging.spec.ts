import { describe, expect, it } from 'vitest';
import { collect, rejectsWith } from '../../../../core/contract.js';
import { paged, pages, type Page } from './paging.js';

/** Serves pages by token; notes which tokens were asked for. */
function server<T>(answers: Record<string, Page<T>>) {
  const asked: (string | undefined)[] = [];
  const fetchPage = (token: string | undefined): Promise<Page<T>> => {
    asked.push(token);
    return Promise.resolve(answers[token ?? ''] ?? { items: [] });
  };
  return { asked, fetchPage };
}

describe('paged', () => {
  it('goes on until there is no token', async () => {
    const { asked, fetchPage } = server({
      '': { items: [1, 2], nextPageToken: 'a' },
      a: { items: [3], nextPageToken: 'b' },
      b: { items: [4], nextPageToken: '' },
    });
    expect(await collect(paged(fetchPage))).toEqual([1, 2, 3, 4]);
    expect(asked).toEqual([undefined, 'a', 'b']);
  });

  it('ends at an empty page although it carries a token', async () => {
    const { asked, fetchPage } = server({
      '': { items: [1], nextPageToken: 'a' },
      a: { items: [], nextPageToken: 'a' },
    });
    expect(await collect(paged(fetchPage))).toEqual([1]);
    expect(asked).toHaveLength(2);
  });

  it('a token that never advances is INTERNAL, not an endless loop', async () => {
    const { asked, fetchPage } = server({
      '': { items: [1], nextPageToken: 'a' },
      a: { items: [1], nextPageToken: 'a' },
    });
    await rejectsWith(() => collect(paged(fetchPage)), 'INTERNAL');
    expect(asked).toHaveLength(2);
  });

  it('fetches a page only when it is needed', async () => {
    const { asked, fetchPage } = server({
      '': { items: [1, 2], nextPageToken: 'a' },
      a: { items: [3], nextPageToken: 'b' },
    });
    for await (const item of paged(fetchPage)) if (item === 2) break;
    expect(asked).toEqual([undefined]);
  });

  it('leaves out what the page before held, too, and keeps the rest of that page', async () => {
    const { fetchPage } = server({
      '': { items: ['new', 'x', 'y'], nextPageToken: 'a' },
      a: { items: ['y', 'z'], nextPageToken: 'b' },
      b: { items: ['z'], nextPageToken: 'c' },
      c: { items: ['w'] },
    });
    expect(await collect(paged(fetchPage, { key: (item) => item }))).toEqual(['new', 'x', 'y', 'z', 'w']);
    expect(await collect(pages(fetchPage, { key: (item) => item }))).toEqual([['new', 'x', 'y'], ['z'], [], ['w']]);
  });

  it('a signal ends it before the next item, and before the first request', async () => {
    const { asked, fetchPage } = server({ '': { items: [1, 2, 3] } });
    await rejectsWith(() => collect(paged(fetchPage, { signal: AbortSignal.abort() })), 'ABORTED');
    expect(asked).toEqual([]);
    const controller = new AbortController();
    const seen: number[] = [];
    await rejectsWith(async () => {
      for await (const item of paged(fetchPage, { signal: controller.signal })) {
        seen.push(item);
        controller.abort();
      }
    }, 'ABORTED');
    expect(seen).toEqual([1]);
  });
});
