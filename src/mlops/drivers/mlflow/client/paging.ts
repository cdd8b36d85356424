import { throwIfAborted } from '../../../../core/deadline.js';
import { HubError } from '../../../../core/errors.js';

/** One page of an endpoint that hands out page tokens. */
export interface Page<T> {
  items: readonly T[];
  /** Absent or empty on the last page. Some servers send one with the last full page too. */
  nextPageToken?: string | undefined;
}

/** How pages are read. */
export interface PagingOptions<T> {
  /** What tells two items apart. Given: what comes twice on neighbouring pages is left out. */
  key?: (item: T) => string;
  signal?: AbortSignal | undefined;
}

/**
 * Iterates over the pages of an endpoint, each fetched when it is needed, until there is no next token or a page is
 * empty. Tokens are offsets on most servers, so items that are added meanwhile shift later pages: with `options.key`,
 * those seen on the page before are left out. A token that does not advance is `INTERNAL` rather than an endless loop or
 * a silent end.
 */
export async function* pages<T>(
  fetchPage: (pageToken: string | undefined) => Promise<Page<T>>,
  options: PagingOptions<T> = {},
): AsyncGenerator<readonly T[], void, undefined> {
  const { key, signal } = options;
  let token: string | undefined;
  let last = new Set<string>();
  for (;;) {
    throwIfAborted(signal);
    const { items, nextPageToken } = await fetchPage(token);
    if (items.length === 0) return;
    if (key === undefined) {
      yield items;
    } else {
      yield items.filter((item) => !last.has(key(item)));
      last = new Set(items.map(key));
    }
    if (nextPageToken === undefined || nextPageToken === '') return;
    if (nextPageToken === token) {
      throw new HubError('INTERNAL', "the server's page token does not advance: what follows cannot be read.");
    }
    token = nextPageToken;
  }
}

/** Iterates over the items of {@link pages}. `ABORTED` before any item after `options.signal` has fired. */
export async function* paged<T>(
  fetchPage: (pageToken: string | undefined) => Promise<Page<T>>,
  options: PagingOptions<T> = {},
): AsyncGenerator<T, void, undefined> {
  for await (const items of pages(fetchPage, options)) {
    for (const item of items) {
      throwIfAborted(options.signal);
      yield item;
    }
  }
}
