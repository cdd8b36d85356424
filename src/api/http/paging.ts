import Joi from 'joi';
import { HubError } from '../../core/errors.js';
import { MAX_PAGE_SIZE } from '../api.options.js';

/** Query parameters of a list. @internal */
export interface PageQuery {
  limit: number;
  cursor?: string;
}

/** A page of a list. */
export interface Page<T> {
  items: T[];
  /** Give it as `cursor` for the next page; `null` on the last one. */
  next: string | null;
}

/** Joi keys of {@link PageQuery}. @internal */
export const pageKeys = {
  limit: Joi.number()
    .integer()
    .min(1)
    .max(MAX_PAGE_SIZE)
    .default(100)
    .description('Most items of the page. The server may have a lower limit.'),
  cursor: Joi.string()
    .max(512)
    .pattern(/^[A-Za-z0-9_-]+$/)
    .description('`next` of the page before.'),
};

/** Joi schema of a {@link Page}. @internal */
export function pageSchema(item: Joi.Schema): Joi.ObjectSchema {
  return Joi.object({
    items: Joi.array().items(item).required(),
    next: Joi.string().allow(null).required().description('`cursor` of the next page; null on the last one.'),
  });
}

/** A cursor of JSON values; opaque to callers. @internal */
export function encodeCursor(values: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url');
}

/** What {@link encodeCursor} was given, of those types; `INVALID_ARGUMENT` for anything else. @internal */
export function decodeCursor(cursor: string, types: readonly ('string' | 'number')[]): (string | number)[] {
  let values: unknown;
  try {
    values = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    values = undefined;
  }
  const fits = Array.isArray(values) && values.length === types.length;
  if (fits && types.every((type, index) => fitsType((values as unknown[])[index], type))) {
    return values as (string | number)[];
  }
  throw new HubError('INVALID_ARGUMENT', 'cursor has to be the `next` of a page of the same list.');
}

function fitsType(value: unknown, type: 'string' | 'number'): boolean {
  return type === 'number' ? Number.isSafeInteger(value) && Number(value) >= 0 : typeof value === type;
}

/** The page of a source that can only be read from its beginning; the cursor is how many items came before. @internal */
export async function pageOf<T>(
  source: Iterable<T> | AsyncIterable<T>,
  { limit, cursor }: PageQuery,
  most: number,
): Promise<Page<T>> {
  const skip = cursor === undefined ? 0 : Number(decodeCursor(cursor, ['number'])[0]);
  const size = Math.min(limit, most);
  const items: T[] = [];
  let index = 0;
  for await (const item of source) {
    if (items.length === size) return { items, next: encodeCursor([skip + size]) };
    if (index++ >= skip) items.push(item);
  }
  return { items, next: null };
}
